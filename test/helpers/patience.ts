/**
 * How long a test waits for a condition (ms). `vi.waitFor` gives up after a second by itself, which a busy machine takes
 * for anything; `expect.poll` has the same limit from vitest.config.ts.
 */
export const PATIENT_MS = 20_000
