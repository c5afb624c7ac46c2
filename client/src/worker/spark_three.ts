// What spark takes of three.js. It is built apart (vite.spark.config.ts) and gets the page's own, as both have to speak
// of the same classes. Its build fails where a name is missing here.
export {
  Box3, BufferAttribute, BufferGeometry, Camera, Color, ColorManagement, CubeCamera, DataArrayTexture, DataTexture,
  DoubleSide, Euler, FileLoader, Float32BufferAttribute, FloatType, GLSL3, InstancedBufferGeometry, LinearFilter,
  LinearMipMapLinearFilter, LinearSRGBColorSpace, Loader, Matrix2, Matrix3, Matrix4, Mesh, MeshStandardMaterial,
  NearestFilter, Object3D, OrthographicCamera, PMREMGenerator, PerspectiveCamera, Quaternion, REVISION, RGBAFormat,
  RGBAIntegerFormat, RGIntegerFormat, RawShaderMaterial, Raycaster, SRGBColorSpace, ShaderChunk, ShaderMaterial,
  Texture, Timer, UnsignedByteType, UnsignedIntType, UnsignedShortType, Vector2, Vector3, Vector4,
  WebGLArrayRenderTarget, WebGLCubeRenderTarget, WebGLRenderTarget,
} from "three";

/** The name in the worker's global scope under which spark finds them. */
export const GIVEN = "heliographThree";
