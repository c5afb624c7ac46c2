// What the page knows of each component's properties, so that nothing is ignored without a word.
import type { Row } from "../messages";
import { PLACEMENT } from "./placement";
import { flag, mapping, number, type Props } from "./values";

const SURFACE = "color opacity material materialType";
const SHAPE = `${SURFACE} outlines`;
const LIGHT = "color intensity";
const CAST = `${LIGHT} castShadow size`;

/** By tag, what it has besides a placement; what Python has made other properties or rows of as well. */
const PROPERTIES: Readonly<Record<string, string>> = {
  Group: "",
  Movable: "",
  Scene: "background environment environmentIntensity exposure toneMapping",
  CameraView:
    "ctype distanceToCamera downsample dpr extent far fov fps height lookAt monitor movable near passes showFrustum stream width",
  Grid: "cellColor cellSize fadeDistance sectionColor sectionSize size",
  CoordsMarker: "headScale size",
  Frustum: "aspect color far fov near src",
  Arrow: "color direction headScale length",
  Text: "anchorX anchorY billboard color fontSize text",
  ImageBackground: "image opacity src",
  OrbitControls: "enablePan enableRotate enableZoom maxDistance minDistance target",
  SceneCamera: "far fov lookAt near",
  Box: `${SHAPE} args depth height size width`,
  Sphere: `${SHAPE} args phiLength phiStart radius thetaLength thetaStart`,
  Plane: `${SHAPE} args height size width`,
  Cylinder: `${SHAPE} args height openEnded radiusBottom radiusTop thetaLength thetaStart`,
  Capsule: `${SHAPE} args length radius`,
  Cone: `${SHAPE} args height openEnded radius thetaLength thetaStart`,
  Torus: `${SHAPE} args arc radius tube`,
  Circle: `${SHAPE} args radius thetaLength thetaStart`,
  Ring: `${SHAPE} args innerRadius outerRadius thetaLength thetaStart`,
  Mesh: `${SHAPE} animation colors faces normals src time up uvs vertices`,
  ImagePlane: `${SURFACE} height image src width`,
  PointCloud: `${SURFACE} colors size vertices`,
  AmbientLight: LIGHT,
  HemisphereLight: `${LIGHT} groundColor`,
  DirectionalLight: `${CAST} target`,
  PointLight: `${CAST} decay distance`,
  SpotLight: `${CAST} angle decay distance penumbra target`,
  RectAreaLight: `${LIGHT} height width`,
  Splat: "src",
  Urdf: "joints model packages src",
};

const KNOWN = new Map(Object.entries(PROPERTIES).map(([tag, names]) => [tag, new Set(names.split(" "))]));

const MATERIAL: ReadonlySet<string> = new Set(
  (
    "alphaMap alphaTest aoMap aoMapIntensity color emissive emissiveIntensity emissiveMap map metalness metalnessMap normalMap " +
    "normalScale opacity roughness roughnessMap shininess side specular transparent"
  ).split(" "),
);
const OUTLINES: ReadonlySet<string> = new Set(["angle", "color", "thickness"]);

/** What of a row the page does not show, each in words. */
export function ignored({ tag, props }: Row): string[] {
  const known = KNOWN.get(tag);
  if (known === undefined) return [];
  const unknown = [
    ...strangers(props, (name) => known.has(name) || PLACEMENT.has(name)),
    ...strangers(mapping(props, "material"), (name) => MATERIAL.has(name)).map((name) => `material.${name}`),
    ...strangers(mapping(props, "outlines"), (name) => OUTLINES.has(name)).map((name) => `outlines.${name}`),
  ];
  const said = unknown.map((name) => `the page knows no ${name} of a ${tag}; it is ignored`);
  const isSoft = known.has("castShadow") && flag(props, "castShadow", false) && number(props, "size", 0) > 0;
  return isSoft ? [...said, `the page ignores the size of a ${tag}: its shadows have hard rims`] : said;
}

function strangers(props: Props, isKnown: (name: string) => boolean): string[] {
  return Object.keys(props).filter((name) => !isKnown(name));
}
