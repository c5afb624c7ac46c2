// What the page uses of spark.
export { SparkRenderer, SplatMesh } from "@sparkjsdev/spark";
