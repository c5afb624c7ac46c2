// Values of a row's properties: colours, arrays, files.
import { Color, SRGBColorSpace } from "three";
import type { AssetRef, BlobData, BlobRef } from "../messages";

export type Props = Record<string, unknown>;
export type Numbers = Float32Array | Float64Array | Uint8Array | Uint16Array | Uint32Array | Int32Array;

/** Numbers, and how many along each axis. */
export interface NumericArray {
  data: Numbers;
  shape: number[];
}

type View = new (buffer: ArrayBuffer) => Numbers;

const DTYPES: Record<string, View> = {
  float64: Float64Array,
  float32: Float32Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  "<f8": Float64Array,
  "<f4": Float32Array,
  "|u1": Uint8Array,
  "<u2": Uint16Array,
  "<u4": Uint32Array,
  "<i4": Int32Array,
};

/** Content that was sent once, by its hash. */
export class Blobs {
  private readonly kept = new Map<string, ArrayBuffer>();

  take(frame: ArrayBuffer, parts: readonly BlobData[]): void {
    for (const { blob, offset, nbytes } of parts) this.kept.set(blob, frame.slice(offset, offset + nbytes));
  }

  forget(blobs: readonly string[]): void {
    for (const blob of blobs) this.kept.delete(blob);
  }

  clear(): void {
    this.kept.clear();
  }

  /** An array as it stands in properties: sent before, or rows of numbers; null for anything else. */
  array(value: unknown): NumericArray | null {
    if (isBlobRef(value)) return this.sent(value);
    if (!Array.isArray(value)) return null;
    const shape = [];
    for (let at: unknown = value; Array.isArray(at); at = at[0]) shape.push(at.length);
    return { data: Float64Array.from(value.flat(Infinity) as number[]), shape };
  }

  private sent(ref: BlobRef): NumericArray {
    const buffer = this.kept.get(ref.blob);
    const view = DTYPES[ref.dtype];
    if (buffer === undefined) throw new Error(`expected the content of blob ${ref.blob}, got none`);
    if (view === undefined) throw new Error(`expected an array of ${Object.keys(DTYPES).join(", ")}, got ${ref.dtype}`);
    return { data: new view(buffer), shape: ref.shape };
  }
}

export function isBlobRef(value: unknown): value is BlobRef {
  return typeof value === "object" && value !== null && "blob" in value;
}

export function isAssetRef(value: unknown): value is AssetRef {
  return typeof value === "object" && value !== null && "asset" in value;
}

export function number(props: Props, name: string, otherwise: number): number {
  const value = props[name];
  return typeof value === "number" ? value : otherwise;
}

export function flag(props: Props, name: string, otherwise: boolean): boolean {
  const value = props[name];
  return typeof value === "boolean" ? value : otherwise;
}

export function text<T extends string>(props: Props, name: string, otherwise: T): T {
  const value = props[name];
  return typeof value === "string" ? (value as T) : otherwise;
}

export function vector(props: Props, name: string, otherwise: readonly number[]): readonly number[] {
  const value = props[name];
  return Array.isArray(value) ? (value as number[]) : otherwise;
}

export function mapping(props: Props, name: string): Props {
  const value = props[name];
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Props) : {};
}

/** A colour in linear light; properties have it as sRGB, 0 to 1. */
export function colour(props: Props, name: string, otherwise: readonly number[]): Color {
  const [red = 0, green = 0, blue = 0] = vector(props, name, otherwise);
  return new Color().setRGB(red, green, blue, SRGBColorSpace);
}

/** Whether two values of properties say the same. */
export function same(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  const keys = Object.keys(one);
  if (keys.length !== Object.keys(other).length) return false;
  return keys.every((key) => same((one as Props)[key], (other as Props)[key]));
}

/** Names of the properties that differ. */
export function differing(one: Props, other: Props): Set<string> {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  for (const name of names) if (same(one[name], other[name])) names.delete(name);
  return names;
}
