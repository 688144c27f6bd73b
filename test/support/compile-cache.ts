import { fileURLToPath } from 'node:url'

/**
 * Has this process and all that it starts keep the code that they compiled for the next one: hundreds of processes run the same code in
 * a run of the tests, and half of what a short one takes is compiling.
 */
export function keepCompiledCode(): void {
  process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('../../.cache/compile', import.meta.url))
}
