// Lights, as src/heliograph/scene/lights.py means them.
import {
  AmbientLight,
  DirectionalLight,
  HemisphereLight,
  Object3D,
  PointLight,
  RectAreaLight,
  SpotLight,
  Vector3,
  type Light,
} from "three";
import type { Row } from "../../messages";
import { placeObject } from "../placement";
import { colour, flag, number, vector, type Props } from "../values";
import { Element, type Kit } from "./element";

/** A hemisphere light whose up is its own +z; three.js takes it from where the light stands. */
class UprightHemisphereLight extends HemisphereLight {
  override updateMatrixWorld(force?: boolean): void {
    super.updateMatrixWorld(force);
    const { elements } = this.matrixWorld;
    this.matrixWorld.setPosition(elements[8] ?? 0, elements[9] ?? 0, elements[10] ?? 1);
  }
}

const AIMED: ReadonlySet<string> = new Set(["DirectionalLight", "SpotLight"]);
const towards = new Vector3();

const MAKERS: Record<string, (props: Props) => Light> = {
  AmbientLight: () => new AmbientLight(),
  HemisphereLight: (props) => {
    const light = new UprightHemisphereLight();
    light.groundColor.copy(colour(props, "groundColor", [1, 1, 1]));
    return light;
  },
  DirectionalLight: () => new DirectionalLight(),
  PointLight: (props) => fade(new PointLight(), props),
  SpotLight: (props) => {
    const light = fade(new SpotLight(), props);
    light.angle = number(props, "angle", Math.PI / 3);
    light.penumbra = number(props, "penumbra", 0);
    return light;
  },
  RectAreaLight: (props) => new RectAreaLight(0xffffff, 1, number(props, "width", 10), number(props, "height", 10)),
};

function fade<L extends PointLight | SpotLight>(light: L, props: Props): L {
  light.decay = number(props, "decay", 2);
  light.distance = number(props, "distance", 0);
  return light;
}

export const LIGHTS: readonly string[] = Object.keys(MAKERS);

export class LightElement extends Element {
  private light: Light;

  constructor(kit: Kit, row: Row) {
    super(kit, row);
    this.light = this.build();
  }

  override dispose(): void {
    this.kit.rig.remove(this.light);
    this.kit.loads.release(this.row.key);
    this.light.removeFromParent();
    this.light.dispose();
  }

  protected override place(): void {
    placeObject(this.object, this.row.props, AIMED.has(this.row.tag) ? [0, 0, 1] : [0, 0, 0]);
  }

  protected override rebuild(): void {
    LightElement.prototype.dispose.call(this);
    this.light = this.build();
  }

  private build(): Light {
    const { props, tag } = this.row;
    const light = MAKERS[tag]?.(props) ?? new AmbientLight();
    light.color.copy(colour(props, "color", [1, 1, 1]));
    light.intensity = number(props, "intensity", 1);
    light.position.set(0, 0, 0);
    light.updateMatrix();
    light.matrixAutoUpdate = false;
    if (light instanceof DirectionalLight || light instanceof SpotLight) this.aim(light);
    if (flag(props, "castShadow", false) && "castShadow" in light) light.castShadow = true;
    this.object.add(light);
    this.kit.rig.add(light);
    if (light instanceof RectAreaLight) void this.loadTables();
    return light;
  }

  /** What three.js computes the light of rectangles with. */
  private async loadTables(): Promise<void> {
    const load = async () => {
      const { RectAreaLightUniformsLib } = await import("three/addons/lights/RectAreaLightUniformsLib.js");
      RectAreaLightUniformsLib.init();
    };
    await this.kit.loads.part(this.row.key, "RectAreaLight", load).then(
      () => this.kit.refresh(),
      () => undefined,
    );
  }

  /** Shine on a world point; a light that stands in it shines down. */
  private aim(light: DirectionalLight | SpotLight): void {
    const point = new Vector3().fromArray(vector(this.row.props, "target", [0, 0, 0]) as number[]);
    const target = new AimedAt(light, point);
    light.target = target;
  }
}

/** The target of a light: a world point, or one below the light where both are the same. */
class AimedAt extends Object3D {
  constructor(
    private readonly light: Object3D,
    private readonly point: Vector3,
  ) {
    super();
    this.matrixAutoUpdate = false;
    this.matrixWorldAutoUpdate = false;
  }

  /** Called before each picture, once the light stands where it does. */
  aim(): void {
    towards.setFromMatrixPosition(this.light.matrixWorld);
    const down = towards.distanceToSquared(this.point) === 0 ? -1 : 0;
    this.matrixWorld.makeTranslation(this.point.x, this.point.y, this.point.z + down);
  }
}

export function aimLight(light: Light): void {
  if ((light instanceof DirectionalLight || light instanceof SpotLight) && light.target instanceof AimedAt) light.target.aim();
}
