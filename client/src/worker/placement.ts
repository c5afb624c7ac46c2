// Where an object stands in its parent.
import { Euler, Matrix4, Quaternion, Vector3, type Object3D } from "three";
import { flag, vector, type Props } from "./values";

export const PLACEMENT: ReadonlySet<string> = new Set(["position", "rotation", "quaternion", "scale", "matrix", "visible"]);

const turn = new Quaternion();
const angles = new Euler();
const place = new Vector3();
const factors = new Vector3();

/** The object's matrix and whether it is seen, as the properties say; a matrix wins. */
export function placeObject(object: Object3D, props: Props, position: readonly number[] = [0, 0, 0]): void {
  object.matrixAutoUpdate = false;
  matrixOf(props, object.matrix, position);
  object.matrixWorldNeedsUpdate = true;
  object.visible = flag(props, "visible", true);
}

export function matrixOf(props: Props, into: Matrix4, position: readonly number[] = [0, 0, 0]): Matrix4 {
  const matrix = props["matrix"];
  if (Array.isArray(matrix)) return into.fromArray(matrix as number[]);
  const quaternion = props["quaternion"];
  const rotation = props["rotation"];
  if (Array.isArray(quaternion)) turn.fromArray(quaternion as number[]).normalize();
  else if (Array.isArray(rotation)) turn.setFromEuler(angles.set(rotation[0], rotation[1], rotation[2], "XYZ"));
  else turn.identity();
  const scale = props["scale"];
  if (typeof scale === "number") factors.setScalar(scale);
  else factors.fromArray(vector(props, "scale", [1, 1, 1]) as number[]);
  return into.compose(place.fromArray(vector(props, "position", position) as number[]), turn, factors);
}
