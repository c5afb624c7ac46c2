// Work that several threads share.
#pragma once

#include <functional>

namespace heliograph {

// Has long work end early. `check` may be called often; it returns true where work should end.
struct Interrupt {
    bool (*check)(void*) = nullptr;
    void* context = nullptr;
    bool asked() const { return check != nullptr && check(context); }
};

// One piece of work, by number, done by the thread of that number; false where it was interrupted.
using Piece = std::function<bool(int piece, int thread, const Interrupt& interrupt)>;

// Does pieces 0 to `pieces` - 1 on so many threads, of which the caller's is the first: each takes
// the next piece that is left. Where the system gives fewer threads, those do all. Only the
// caller's asks `interrupt`; the others are told. False where it was interrupted; throws what a
// piece throws.
bool share(int pieces, int threads, const Interrupt& interrupt, const Piece& piece);

}  // namespace heliograph
