import { defineConfig } from "vite";

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
    rolldownOptions: { output: { entryFileNames: "[name].js", chunkFileNames: "[name].js" } },
  },
});
