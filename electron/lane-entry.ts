/** Beside this file in a checkout; among the entries of dist/electron where this was built into a chunk. */
export const LANE_WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './engine/lane/lane-worker.ts' : '../lane-worker.cjs',
  import.meta.url,
)
