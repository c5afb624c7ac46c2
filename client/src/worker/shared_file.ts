// Files of the page's own that the server, on the same machine, maps: pictures go through the page
// cache and not through the WebSocket. src/heliograph/engines/web/shared_file.py is the other end.
//
//   0      the mark, by which the server finds the file
//   32     how many pictures were written into it, uint32; written last
//   4096   the buffers of one answer
import type { ToPage } from "../messages";
import type { Outbox, Part } from "./parts";
import type { FileSlots } from "./sensors";

const COUNT_AT = 32;
const BODY_AT = 4096;

interface Slot {
  handle: FileSystemSyncAccessHandle;
  count: Uint32Array<ArrayBuffer>;
}

export class SharedFiles implements Part, FileSlots {
  private readonly slots = new Map<number, Slot>();

  constructor(private readonly outbox: Outbox) {}

  fromServer(message: ToPage): void {
    if (message.type !== "share") return;
    const { slot, mark } = message;
    const tell = (error: string) => this.outbox.server({ type: "shared", slot, error });
    this.open(slot, mark).then(
      () => tell(""),
      (error: unknown) => tell(error instanceof Error ? error.message : String(error)),
    );
  }

  write(slot: number, bytes: Uint8Array<ArrayBuffer>): void {
    const open = this.slots.get(slot);
    if (open === undefined) throw new Error(`expected a slot that was shared, got ${slot}`);
    const { handle, count } = open;
    if (handle.write(bytes, { at: BODY_AT }) !== bytes.byteLength) throw new Error("the shared file has no room left");
    count[0] = (count[0] ?? 0) + 1;
    handle.write(count, { at: COUNT_AT });
  }

  private async open(slot: number, mark: string): Promise<void> {
    const folder = await navigator.storage.getDirectory();
    const file = await folder.getFileHandle(`heliograph-${slot}`, { create: true });
    this.slots.get(slot)?.handle.close();
    const handle = await file.createSyncAccessHandle();
    handle.truncate(0);
    handle.write(new Uint8Array(BODY_AT), { at: 0 });
    handle.write(new TextEncoder().encode(mark), { at: 0 });
    this.slots.set(slot, { handle, count: new Uint32Array(1) });
  }
}
