import { defineConfig, type Plugin } from "vite";
import * as given from "./src/worker/spark_three.ts";

const THREE = "\0given-three";

/** Has spark use the three.js that the page gives it. */
const givenThree: Plugin = {
  name: "given-three",
  enforce: "pre",
  resolveId: (id) => (id === "three" ? THREE : null),
  load(id) {
    if (id !== THREE) return null;
    const names = Object.keys(given).filter((name) => name !== "GIVEN");
    return `export const { ${names.join(", ")} } = self.${given.GIVEN};`;
  },
};

// The library that draws splats, for the package heliograph-spark.
export default defineConfig({
  plugins: [givenThree],
  build: {
    outDir: "spark/heliograph_spark/static",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    chunkSizeWarningLimit: 4000,
    rolldownOptions: {
      input: "src/worker/spark.ts",
      preserveEntrySignatures: "strict",
      output: { entryFileNames: "[name].module.js" },
      onLog(level, log, handler) {
        if (level === "warn") throw new Error(log.message);
        handler(level, log);
      },
    },
  },
});
