// All lights of the scene, what they need before each picture, and what lights a scene without any.
import {
  Box3,
  DirectionalLight,
  Group,
  HemisphereLight,
  PointLight,
  Sphere,
  SpotLight,
  Vector3,
  type Camera,
  type Light,
} from "three";
import { aimLight } from "./elements/lights";
import type { Surfaces } from "./surface";
import type { World } from "./world";

/** As src/heliograph/engines/components/lights.py has them: irradiance from the camera, from above and from below. */
const FROM_CAMERA = 1.1;
const DEFAULT = { above: 0.91 + 0.65, below: 0.91 - 0.65 };
const STUDIO = { above: 0.25 + 0.15, below: 0.25 - 0.15 };
const ALMOST_NOTHING = 0.01;
const SHADOW_TEXELS = 2048;
/** Half of the widest cone that a shadow map holds well, radians. */
const WIDEST = 1.4;

const ahead = new Vector3();

export class LightRig {
  private readonly lights = new Set<Light>();
  private readonly head = new DirectionalLight(0xffffff, FROM_CAMERA);
  private readonly around = new HemisphereLight(0xffffff, 0xffffff, 1);
  private readonly default = new Group();
  /** Whether there are surroundings that light things. */
  surrounded = false;
  /** Whether shadows have to be drawn anew. */
  stale = true;

  constructor(
    private readonly world: World,
    private readonly surfaces: Surfaces,
  ) {
    for (const light of [this.head, this.around]) light.matrixAutoUpdate = light.matrixWorldAutoUpdate = false;
    this.head.target.matrixWorldAutoUpdate = false;
    this.around.matrixWorld.setPosition(0, 0, 1);
    this.default.add(this.head, this.around);
    world.renderer.shadowMap.enabled = true;
    world.content.add(this.default);
    world.content.onBeforeRender = (_renderer, _scene, camera) => this.prepare(camera);
  }

  add(light: Light): void {
    this.lights.add(light);
  }

  remove(light: Light): void {
    this.lights.delete(light);
  }

  /** A scene with neither lights nor surroundings is lit from the camera. */
  get litFromCamera(): boolean {
    return this.lights.size === 0 && !this.surrounded;
  }

  /** Light from all around of a scene that is lit from the camera, in a studio or without. */
  setDefault(studio: boolean): void {
    this.default.visible = this.litFromCamera;
    const { above, below } = studio ? STUDIO : DEFAULT;
    this.around.color.setScalar(above);
    this.around.groundColor.setScalar(below);
  }

  private prepare(camera: Camera): void {
    const { matrixWorld } = this.head;
    matrixWorld.makeTranslation(ahead.setFromMatrixColumn(camera.matrixWorld, 2));
    this.lights.forEach(aimLight);
    this.prepareShadows();
  }

  /** Shadows are drawn anew where the scene changed, and where round shapes change with the camera. */
  private prepareShadows(): void {
    const casting = [...this.lights].filter((light) => light.castShadow);
    const { shadowMap } = this.world.renderer;
    shadowMap.autoUpdate = false;
    if (!casting.length || !(this.stale || this.surfaces.hasLevels)) return;
    const sphere = this.seen();
    for (const light of casting) cover(light, sphere);
    shadowMap.needsUpdate = true;
    this.stale = false;
  }

  /** A sphere round all that is drawn. */
  private seen(): Sphere {
    const box = new Box3();
    const each = new Box3();
    for (const { object } of this.surfaces) {
      const { geometry } = object;
      if (!isShown(object)) continue;
      if (geometry.boundingBox === null) geometry.computeBoundingBox();
      if (geometry.boundingBox) box.union(each.copy(geometry.boundingBox).applyMatrix4(object.matrixWorld));
    }
    const sphere = new Sphere();
    if (box.isEmpty()) return sphere.set(new Vector3(), ALMOST_NOTHING);
    box.getBoundingSphere(sphere);
    sphere.radius = Math.max(sphere.radius, ALMOST_NOTHING);
    return sphere;
  }
}

export function isShown(object: { visible: boolean; parent: { visible: boolean; parent: unknown } | null } | null): boolean {
  for (let at: typeof object = object; at !== null; at = at.parent as typeof object) if (!at.visible) return false;
  return true;
}

/** Fit a light's shadow to a sphere, as src/heliograph/engines/shared/lights.py does. */
function cover(light: Light, { center, radius }: Sphere): void {
  if (light instanceof DirectionalLight) {
    const { shadow, target } = light;
    const towards = new Vector3().setFromMatrixPosition(target.matrixWorld);
    const from = new Vector3().setFromMatrixPosition(light.matrixWorld);
    const way = towards.sub(from).normalize();
    const along = center.clone().sub(from).dot(way);
    const across = center.clone().sub(from).addScaledVector(way, -along).length();
    const { camera } = shadow;
    camera.left = camera.bottom = -1.05 * (radius + across);
    camera.right = camera.top = 1.05 * (radius + across);
    camera.near = along - 1.05 * radius;
    camera.far = along + 1.05 * radius;
    camera.updateProjectionMatrix();
    shadow.mapSize.set(SHADOW_TEXELS, SHADOW_TEXELS);
    shadow.normalBias = (1.05 * 2 * (radius + across)) / SHADOW_TEXELS;
  } else if (light instanceof SpotLight || light instanceof PointLight) {
    const { shadow } = light;
    const distance = new Vector3().setFromMatrixPosition(light.matrixWorld).distanceTo(center);
    shadow.camera.far = 1.01 * (distance + radius);
    shadow.camera.near = Math.max(0.01 * shadow.camera.far, 0.99 * (distance - radius));
    shadow.camera.updateProjectionMatrix();
    shadow.mapSize.set(SHADOW_TEXELS / 2, SHADOW_TEXELS / 2);
    const half = light instanceof SpotLight ? light.angle : Math.PI / 4;
    shadow.normalBias = (4 * Math.tan(Math.min(half, WIDEST)) * distance) / SHADOW_TEXELS;
  }
}
