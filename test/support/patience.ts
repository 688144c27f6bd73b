/**
 * How long a test waits for what must come: as long as most tests may last. Less fails where the machine is busy; more would end in "test timed out",
 * which doesn't say what was missing.
 */
export const PATIENCE_MS = 25_000
