// Geometry of the shapes, as the classes of src/heliograph/scene/shapes.py mean them. Round ones
// come in levels; the coarsest one is drawn that looks round in the picture.
import {
  BoxGeometry,
  CapsuleGeometry,
  CircleGeometry,
  CylinderGeometry,
  PlaneGeometry,
  RingGeometry,
  SphereGeometry,
  TorusGeometry,
  type BufferGeometry,
} from "three";
import { flag, number, type Props } from "./values";

const ROUND = 2 * Math.PI;
/** Parts of a whole circle, by level. */
const LEVELS: readonly number[] = [10, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256];
/** How far, in pixels, a picture's circles are from true ones at most: small ones, and others. */
const TOLERANCES = { small: 0.1, large: 0.05 };
const SMALL = 8;

/** A geometry that shapes of one form share, and the scale that makes one of them of it. */
export interface Form {
  /** Equal forms have equal names. */
  name: string;
  scale: readonly [number, number, number];
  /** Whether it has levels. */
  round: boolean;
  /** Of the largest circle in it, before scaling. */
  radius: number;
  make(parts: number): BufferGeometry;
  /** The same shape that is thicker, if that is one of the kind. */
  grown?(thickness: number): Form;
}

/** How far chords are inside their circle of radius 1; vertices are moved out by half of it. */
const sagitta = (parts: number) => 1 - Math.cos(Math.PI / parts);
const outward = (parts: number) => 1 + sagitta(parts) / 2;

const arcs = (whole: number, parts: number) => Math.max(3, Math.ceil((parts * whole) / ROUND));

function box(props: Props): Form {
  const scale = [number(props, "width", 1), number(props, "height", 1), number(props, "depth", 1)] as const;
  return { name: "box", scale, round: false, radius: 0, make: () => new BoxGeometry() };
}

function plane(props: Props): Form {
  const scale = [number(props, "width", 1), number(props, "height", 1), 1] as const;
  return { name: "plane", scale, round: false, radius: 0, make: () => new PlaneGeometry() };
}

function sphere(props: Props): Form {
  const form = partOfSphere(props);
  const whole = ["phiStart", "phiLength", "thetaStart", "thetaLength"].every((name) => !(name in props));
  if (!whole) return form;
  return { ...form, grown: (thickness) => partOfSphere({ radius: number(props, "radius", 1) + thickness }) };
}

function partOfSphere(props: Props): Form {
  const radius = number(props, "radius", 1);
  const phi = number(props, "phiStart", 0);
  const phiLength = Math.min(number(props, "phiLength", ROUND), ROUND);
  const theta = number(props, "thetaStart", 0);
  const thetaLength = Math.min(number(props, "thetaLength", Math.PI), Math.PI - theta);
  const make = (parts: number) =>
    new SphereGeometry(1 + sagitta(parts), arcs(phiLength, parts), arcs(thetaLength, parts), phi, phiLength, theta, thetaLength);
  return { name: `sphere ${phi} ${phiLength} ${theta} ${thetaLength}`, scale: [radius, radius, radius], round: true, radius: 1, make };
}

function stump(top: number, bottom: number, height: number, props: Props): Form {
  const open = flag(props, "openEnded", false);
  const start = number(props, "thetaStart", 0);
  const length = Math.min(number(props, "thetaLength", ROUND), ROUND);
  const wide = Math.max(top, bottom);
  const make = (parts: number) => {
    const [above, below] = [top, bottom].map((radius) => (outward(parts) * radius) / wide);
    return new CylinderGeometry(above, below, height / wide, arcs(length, parts), 1, open, start, length);
  };
  const name = `cylinder ${top / wide} ${bottom / wide} ${height / wide} ${open} ${start} ${length}`;
  return { name, scale: [wide, wide, wide], round: true, radius: 1, make };
}

function cylinder(props: Props): Form {
  const sizes = ["radiusTop", "radiusBottom", "height"].map((name) => number(props, name, 1));
  return stump(sizes[0] ?? 1, sizes[1] ?? 1, sizes[2] ?? 1, props);
}

function cone(props: Props): Form {
  return stump(0, number(props, "radius", 1), number(props, "height", 1), props);
}

function capsule(props: Props): Form {
  const radius = number(props, "radius", 1);
  const length = number(props, "length", 1) / radius;
  const make = (parts: number) => new CapsuleGeometry(1 + sagitta(parts), length, Math.ceil(parts / 4), parts);
  const grown = (thickness: number) => capsule({ radius: radius + thickness, length: number(props, "length", 1) });
  return { name: `capsule ${length}`, scale: [radius, radius, radius], round: true, radius: 1, make, grown };
}

function torus(props: Props): Form {
  const radius = number(props, "radius", 1);
  const tube = number(props, "tube", 0.4) / radius;
  const arc = Math.min(number(props, "arc", ROUND), ROUND);
  const make = (parts: number) => new TorusGeometry(outward(parts), tube * outward(parts / 2), Math.max(8, parts / 2), arcs(arc, parts), arc);
  return { name: `torus ${tube} ${arc}`, scale: [radius, radius, radius], round: true, radius: 1 + tube, make };
}

function circle(props: Props): Form {
  const radius = number(props, "radius", 1);
  const start = number(props, "thetaStart", 0);
  const length = Math.min(number(props, "thetaLength", ROUND), ROUND);
  const make = (parts: number) => new CircleGeometry(outward(parts), arcs(length, parts), start, length);
  return { name: `circle ${start} ${length}`, scale: [radius, radius, 1], round: true, radius: 1, make };
}

function ring(props: Props): Form {
  const outer = number(props, "outerRadius", 1);
  const inner = number(props, "innerRadius", 0.5) / outer;
  const start = number(props, "thetaStart", 0);
  const length = Math.min(number(props, "thetaLength", ROUND), ROUND);
  const make = (parts: number) => new RingGeometry(inner * outward(parts), outward(parts), arcs(length, parts), 1, start, length);
  return { name: `ring ${inner} ${start} ${length}`, scale: [outer, outer, 1], round: true, radius: 1, make };
}

/** The form of a shape's row, by tag. */
export const FORMS: Readonly<Record<string, (props: Props) => Form>> = {
  Box: box,
  Plane: plane,
  ImagePlane: plane,
  Sphere: sphere,
  Cylinder: cylinder,
  Cone: cone,
  Capsule: capsule,
  Torus: torus,
  Circle: circle,
  Ring: ring,
};

/** Geometries that are in use, by name, each made once. */
export class GeometryCache {
  private readonly made = new Map<string, { users: number; levels: (BufferGeometry | undefined)[] }>();

  /** Count one more user of a form. */
  use(form: Form): void {
    const kept = this.made.get(form.name);
    if (kept) kept.users += 1;
    else this.made.set(form.name, { users: 1, levels: [] });
  }

  get(form: Form, level: number): BufferGeometry {
    const kept = this.made.get(form.name) ?? { users: 0, levels: [] };
    return (kept.levels[level] ??= form.make(LEVELS[level] ?? 256));
  }

  release(form: Form): void {
    const kept = this.made.get(form.name);
    if (!kept || --kept.users > 0) return;
    kept.levels.forEach((geometry) => geometry?.dispose());
    this.made.delete(form.name);
  }
}

/** The level for a radius in pixels. */
export function levelFor(pixels: number): number {
  const tolerance = pixels < SMALL ? TOLERANCES.small : TOLERANCES.large;
  const parts = pixels > 2 * tolerance ? Math.PI / Math.acos(1 - tolerance / pixels) : 0;
  const level = LEVELS.findIndex((count) => count >= parts);
  return level < 0 ? LEVELS.length - 1 : level;
}
