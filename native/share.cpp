#include "share.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace heliograph {
namespace {

constexpr std::chrono::milliseconds BETWEEN_QUESTIONS{20};

class Share {
public:
    Share(int pieces, const Piece& piece) : pieces_(pieces), piece_(piece) {}

    bool run(int threads, const Interrupt& interrupt) {
        std::vector<std::thread> others;
        try {
            others.reserve(std::size_t(threads - 1));
            for (int i = 1; i < threads; ++i) {
                others.emplace_back([this, i] { work(i, {told, &stopped_}), leave(); });
                ++working_;
            }
        } catch (const std::exception&) {
            // The system gives no more threads: those there are do all.
        }
        work(0, interrupt);
        wait(interrupt);
        for (std::thread& each : others) each.join();
        if (failure_) std::rethrow_exception(failure_);
        return !stopped_;
    }

private:
    static bool told(void* stopped) { return static_cast<std::atomic<bool>*>(stopped)->load(); }

    void work(int thread, const Interrupt& interrupt) {
        try {
            for (int next; !stopped_ && (next = next_++) < pieces_;)
                if (!piece_(next, thread, interrupt)) stopped_ = true;
        } catch (...) {
            const std::lock_guard held(mutex_);
            if (!failure_) failure_ = std::current_exception();
            stopped_ = true;
        }
    }

    void leave() {
        const std::lock_guard held(mutex_);
        --working_;
        left_.notify_one();
    }

    // Until the others have left; where interrupted meanwhile, they leave early.
    void wait(const Interrupt& interrupt) {
        std::unique_lock held(mutex_);
        while (!left_.wait_for(held, BETWEEN_QUESTIONS, [this] { return working_ == 0; })) {
            held.unlock();
            if (interrupt.asked()) stopped_ = true;
            held.lock();
        }
    }

    const int pieces_;
    const Piece& piece_;
    std::atomic<int> next_{0}, working_{0};
    std::atomic<bool> stopped_{false};
    std::exception_ptr failure_;
    std::mutex mutex_;
    std::condition_variable left_;
};

}  // namespace

bool share(int pieces, int threads, const Interrupt& interrupt, const Piece& piece) {
    threads = std::clamp(threads, 1, std::max(pieces, 1));
    if (threads > 1) return Share(pieces, piece).run(threads, interrupt);
    for (int i = 0; i < pieces; ++i)
        if (!piece(i, 0, interrupt)) return false;
    return true;
}

}  // namespace heliograph
