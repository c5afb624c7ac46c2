// Light and dark: as the system has it until somebody chooses.
import type { Store } from "./state";

const KEPT = "heliograph-theme";

function kept(): string | null {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // storage is off; the system's choice holds
  }
}

function apply(dark: boolean, store: Store): void {
  document.documentElement.dataset["theme"] = dark ? "dark" : "light";
  store.set({ dark });
}

export function startTheme(store: Store): void {
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const chosen = kept();
  apply(chosen === null ? system.matches : chosen === "dark", store);
  system.addEventListener("change", () => { if (kept() === null) apply(system.matches, store); });
}

export function toggleTheme(store: Store): void {
  const dark = !store.now.dark;
  try {
    localStorage.setItem(KEPT, dark ? "dark" : "light");
  } catch {
    // nothing is kept where storage is off
  }
  apply(dark, store);
}
