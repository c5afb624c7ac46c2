// The canvas's events, forwarded to the worker.
import type { ForwardedEvent } from "../bridge";
import type { WorkerLink } from "./link";

/** Keys that the worker's controls use; all others are the page's. */
const CAMERA_KEYS = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Control", "Shift"]);

function forwarded(event: PointerEvent | WheelEvent | KeyboardEvent, left: number, top: number): ForwardedEvent {
  const mouse = event instanceof MouseEvent ? event : null;
  const wheel = event instanceof WheelEvent ? event : null;
  const pointer = event instanceof PointerEvent ? event : null;
  const keyboard = event instanceof KeyboardEvent ? event : null;
  return {
    type: event.type,
    clientX: (mouse?.clientX ?? 0) - left,
    clientY: (mouse?.clientY ?? 0) - top,
    deltaX: wheel?.deltaX ?? 0,
    deltaY: wheel?.deltaY ?? 0,
    deltaMode: wheel?.deltaMode ?? 0,
    button: mouse?.button ?? 0,
    buttons: mouse?.buttons ?? 0,
    pointerId: pointer?.pointerId ?? 0,
    pointerType: pointer?.pointerType ?? "",
    ctrlKey: event.ctrlKey,
    shiftKey: event.shiftKey,
    altKey: event.altKey,
    metaKey: event.metaKey,
    code: keyboard?.code ?? "",
    key: keyboard?.key ?? "",
  };
}

export function forwardEvents(canvas: HTMLCanvasElement, link: WorkerLink): void {
  const send = (event: PointerEvent | WheelEvent | KeyboardEvent): void => {
    const box = canvas.getBoundingClientRect();
    link.post({ type: "input", event: forwarded(event, box.left, box.top) });
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    send(event);
  });
  canvas.addEventListener("pointermove", send);
  canvas.addEventListener("pointerup", send);
  canvas.addEventListener("pointercancel", send);
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); send(event); }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    if (!CAMERA_KEYS.has(event.key)) return;
    event.preventDefault();
    send(event);
  });
  canvas.addEventListener("keyup", (event) => { if (CAMERA_KEYS.has(event.key)) send(event); });
}
