// Objects of the viewport's own scene: frustums, axes, arrows, words, boxes.
import {
  BoxGeometry, BufferGeometry, CanvasTexture, Color, ConeGeometry, CylinderGeometry, DoubleSide, EdgesGeometry, Float32BufferAttribute,
  Group, LineBasicMaterial, LineSegments, Mesh, MeshBasicMaterial, Object3D, PlaneGeometry, Quaternion, SRGBColorSpace, Sprite,
  ShaderMaterial, SpriteMaterial, Vector3, type Texture,
} from "three";
import type { CameraSpec } from "../messages";
import { slopes } from "./lens";

const AXES: readonly [Vector3, number][] = [
  [new Vector3(1, 0, 0), 0xd9483b],
  [new Vector3(0, 1, 0), 0x4c9a3f],
  [new Vector3(0, 0, 1), 0x3f77d9],
];
const Y = new Vector3(0, 1, 0);

/** Free what an object and all below it hold on the GPU. */
export function dispose(object: Object3D): void {
  object.traverse((each) => {
    const { geometry, material } = each as Partial<Mesh>;
    geometry?.dispose();
    for (const one of Array.isArray(material) ? material : [material]) {
      (one as { map?: Texture } | undefined)?.map?.dispose();
      one?.dispose();
    }
  });
  object.removeFromParent();
}

export function arrow(direction: Vector3, length: number, headScale: number, color: Color | number): Group {
  const made = new Group();
  const material = new MeshBasicMaterial({ color, toneMapped: false });
  const head = Math.min(0.2 * headScale, 1) * length;
  const shaft = new Mesh(new CylinderGeometry(0.012 * length, 0.012 * length, length - head, 10), material);
  shaft.position.y = (length - head) / 2;
  const tip = new Mesh(new ConeGeometry(0.3 * head, head, 16), material);
  tip.position.y = length - head / 2;
  if (head > 0) made.add(tip);
  made.add(shaft);
  made.quaternion.copy(new Quaternion().setFromUnitVectors(Y, direction.clone().normalize()));
  return made;
}

export function axes(size: number, headScale: number): Group {
  const made = new Group();
  for (const [direction, color] of AXES) made.add(arrow(direction, size, headScale, color));
  return made;
}

const FONT = 64; // pixels of a line's texture

export interface Words {
  text: string;
  color: Color;
  fontSize: number;
  anchorX: string;
  anchorY: string;
  billboard: boolean;
}

function anchored(anchor: string, least: string, greatest: string): number {
  return anchor === least ? 0 : anchor === greatest ? 1 : 0.5;
}

export function words({ text, color, fontSize, anchorX, anchorY, billboard }: Words): Object3D {
  const lines = text.split("\n");
  const font = `500 ${FONT}px system-ui, sans-serif`;
  const measure = new OffscreenCanvas(1, 1).getContext("2d") as OffscreenCanvasRenderingContext2D;
  measure.font = font;
  const width = Math.max(1, Math.ceil(Math.max(...lines.map((line) => measure.measureText(line).width))) + 8);
  const canvas = new OffscreenCanvas(width, Math.ceil(FONT * 1.25) * lines.length);
  const draw = canvas.getContext("2d") as OffscreenCanvasRenderingContext2D;
  draw.font = font;
  draw.textBaseline = "middle";
  draw.fillStyle = `#${color.getHexString(SRGBColorSpace)}`;
  lines.forEach((line, at) => draw.fillText(line, 4, FONT * 1.25 * (at + 0.5)));
  const map = new CanvasTexture(canvas);
  map.colorSpace = SRGBColorSpace;
  const tall = fontSize * 1.25 * lines.length;
  const wide = (tall * canvas.width) / canvas.height;
  const x = anchored(anchorX, "left", "right");
  const y = 1 - anchored(anchorY, "top", "bottom");
  if (billboard) {
    const sprite = new Sprite(new SpriteMaterial({ map, depthWrite: false, toneMapped: false }));
    sprite.scale.set(wide, tall, 1);
    sprite.center.set(x, y);
    return sprite;
  }
  const plane = new Mesh(new PlaneGeometry(wide, tall), new MeshBasicMaterial({ map, transparent: true, depthWrite: false, side: DoubleSide, toneMapped: false }));
  plane.position.set((0.5 - x) * wide, (0.5 - y) * tall, 0);
  return plane;
}

/** The twelve edges of a box, stretched over whatever it is about. */
export function boxLines(color: number): LineSegments<BufferGeometry, LineBasicMaterial> {
  const edges = new EdgesGeometry(new BoxGeometry(1, 1, 1));
  const made = new LineSegments(edges, new LineBasicMaterial({ color, toneMapped: false, depthTest: false, transparent: true, opacity: 0.8 }));
  made.renderOrder = 2;
  return made;
}

/** Corners (x, y) of the picture at a distance, in camera axes, counterclockwise from bottom left. */
function cornersAt(spec: CameraSpec, distance: number): [number, number][] {
  const { x, y, cx, cy } = slopes(spec);
  const at = spec.orthographic ? 1 : distance;
  return [[cx - x, cy - y], [cx + x, cy - y], [cx + x, cy + y], [cx - x, cy + y]].map(([u, v]) => [(u ?? 0) * at, (v ?? 0) * at]);
}

/** Lines from the eye to the picture plane, and which way is up. */
function frustumLines(spec: CameraSpec, near: number, far: number): number[] {
  const corners = cornersAt(spec, far).map(([x, y]) => [x, y, -far]);
  const eyes = near > 0 || spec.orthographic ? cornersAt(spec, near).map(([x, y]) => [x, y, -near]) : corners.map(() => [0, 0, 0]);
  const edges: number[][] = [];
  corners.forEach((corner, at) => {
    edges.push(eyes[at] ?? [], corner, corner, corners[(at + 1) % 4] ?? []);
    if (near > 0 || spec.orthographic) edges.push(eyes[at] ?? [], eyes[(at + 1) % 4] ?? []);
  });
  const [left = 0, top = 0] = corners[3] ?? [];
  const [right = 0] = corners[2] ?? [];
  const middle = (left + right) / 2;
  const tall = (right - left) * 0.14;
  const mark = [[middle - tall, top + tall * 0.35, -far], [middle + tall, top + tall * 0.35, -far], [middle, top + tall * 1.6, -far]];
  mark.forEach((point, at) => edges.push(point, mark[(at + 1) % 3] ?? []));
  return edges.flat();
}

const PICTURE_VERTEX = /* glsl */ `
out vec2 at;
void main() {
  at = uv;
  gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
}`;

// Pictures are shown as they are: their colours are encoded already.
const PICTURE_FRAGMENT = /* glsl */ `
uniform sampler2D map;
in vec2 at;
void main() {
  gl_FragColor = vec4(texture(map, at).rgb, 1.0);
}`;

function picturePlane(map: Texture): Mesh<PlaneGeometry, ShaderMaterial> {
  const uniforms = { map: { value: map } };
  const material = new ShaderMaterial({ uniforms, vertexShader: PICTURE_VERTEX, fragmentShader: PICTURE_FRAGMENT, side: DoubleSide });
  Object.assign(material, { polygonOffset: true, polygonOffsetFactor: 1, polygonOffsetUnits: 2 });
  return new Mesh(new PlaneGeometry(1, 1), material);
}

/** Diagonal of a picture, in parts of its distance, above which it is left out. */
const MOST_OF_VIEW = 0.6;

/** A camera's pyramid; its picture, where there is one, stands on the far plane. */
export class FrustumMark {
  readonly object = new Group();
  readonly lines: LineSegments<BufferGeometry, LineBasicMaterial>;
  private plane: Mesh<PlaneGeometry, ShaderMaterial> | null = null;
  private shape = "";

  constructor(
    public spec: CameraSpec,
    public color: Color,
  ) {
    this.lines = new LineSegments(new BufferGeometry(), new LineBasicMaterial({ color, toneMapped: false }));
    this.lines.frustumCulled = false;
    this.object.matrixAutoUpdate = false;
    this.object.add(this.lines);
  }

  /** Follow a camera; `near` is where the lines begin, `far` where the picture plane stands. */
  follow(spec: CameraSpec, near: number, far: number): void {
    this.spec = spec;
    this.object.matrix.fromArray(spec.matrix);
    this.object.matrixWorldNeedsUpdate = true;
    const shape = [...spec.projection, near, far].join();
    if (shape === this.shape) return;
    this.shape = shape;
    this.lines.geometry.dispose();
    this.lines.geometry = new BufferGeometry();
    this.lines.geometry.setAttribute("position", new Float32BufferAttribute(frustumLines(spec, near, far), 3));
    if (this.plane) this.placePlane(this.plane, far);
    this.far = far;
  }

  private far = 1;
  private shows = false;
  private blocks = false;
  private readonly seen = new Vector3();

  set picture(map: Texture | null) {
    if (this.plane === null && map !== null) {
      this.plane = picturePlane(map);
      this.placePlane(this.plane, this.far);
      this.object.add(this.plane);
    }
    this.shows = map !== null;
    if (this.plane === null) return;
    this.plane.visible = this.shows && !this.blocks;
    const held = this.plane.material.uniforms["map"];
    if (map !== null && held) held.value = map;
  }

  get hasPicture(): boolean {
    return this.plane?.visible ?? false;
  }

  /** Leave the picture out where it would hide much of what an eye sees. */
  leaveRoomFor(eye: Vector3): void {
    const [[left = 0, bottom = 0] = [], , [right = 0, top = 0] = []] = cornersAt(this.spec, this.far);
    const middle = this.seen.set((left + right) / 2, (bottom + top) / 2, -this.far).applyMatrix4(this.object.matrix);
    this.blocks = Math.hypot(right - left, top - bottom) > MOST_OF_VIEW * middle.distanceTo(eye);
    if (this.plane) this.plane.visible = this.shows && !this.blocks;
  }

  private placePlane(plane: Mesh, far: number): void {
    const [[left = 0, bottom = 0] = [], , [right = 0, top = 0] = []] = cornersAt(this.spec, far);
    plane.position.set((left + right) / 2, (bottom + top) / 2, -far);
    plane.scale.set(right - left, top - bottom, 1);
  }

  set highlight(color: Color | null) {
    this.lines.material.color.copy(color ?? this.color);
  }

  /** Ends of the lines in camera axes, three numbers each. */
  get ends(): ArrayLike<number> {
    return this.lines.geometry.getAttribute("position").array;
  }

  /** Corners of the picture plane in camera axes. */
  get corners(): Vector3[] {
    return cornersAt(this.spec, this.far).map(([x, y]) => new Vector3(x, y, -this.far));
  }
}
