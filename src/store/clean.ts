/** Milliseconds between two rounds of cleaning. */
const CLEAN_EVERY_MS = 60_000

/**
 * Removes expired entries now and then, also where nothing is written any more.
 *
 * @returns ends the cleaning
 */
export function cleanNowAndThen(clean: () => void): () => void {
  const timer = setInterval(() => {
    try {
      clean()
    } catch {
      // Another process holds the file: the next round comes in a minute, and what a request needs of the store tells its own failure.
    }
  }, CLEAN_EVERY_MS)
  timer.unref()
  return () => clearInterval(timer)
}
