import { defineConfig, type Plugin } from "vite";
import { packed, unpacked } from "./src/packed.ts";

/** Packs the tables with which three.js computes the light of rectangles: as decimals they are a third of the page. */
const packedTables: Plugin = {
  name: "packed-tables",
  transform(code, id) {
    if (!id.endsWith("/RectAreaLightTexturesLib.js")) return null;
    let count = 0;
    const replaced = code.replace(/= (\[[-\d.e,\s]*\]);/g, (_, numbers: string) => {
      count += 1;
      const table = new Float32Array(JSON.parse(numbers.replace(/\s/g, "")) as number[]);
      const text = packed(table);
      if (unpacked(text).some((each, i) => !Object.is(each, table[i]))) throw new Error(`${id}: a table is not packed exactly`);
      return `= unpacked("${text}");`;
    });
    if (count !== 2) throw new Error(`${id}: expected two tables, got ${count}`);
    return { code: `import { unpacked } from "/src/packed.ts";\n${replaced}`, map: null };
  },
};

// Paths are relative, so that the page works under whatever address it is served from. Names carry
// no hashes: the server sends an ETag, and a rebuild changes only what changed.
export default defineConfig({
  base: "./",
  build: {
    outDir: "../src/heliograph/engines/web/static",
    emptyOutDir: true,
    target: "es2022",
    sourcemap: false,
    modulePreload: false,
    chunkSizeWarningLimit: 1000,
    rolldownOptions: {
      output: { entryFileNames: "[name].js", chunkFileNames: "[name].js", assetFileNames: "[name][extname]" },
    },
  },
  worker: {
    format: "es",
    plugins: () => [packedTables],
    rolldownOptions: { output: { entryFileNames: "[name].js", chunkFileNames: "[name].js" } },
  },
});
