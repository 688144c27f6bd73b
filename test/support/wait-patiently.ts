import { setDefaultAutoSelectFamilyAttemptTimeout } from 'node:net'
import { vi } from 'vitest'
import { PATIENCE_MS } from './patience.ts'

/** vitest gives what a test waits for one second unless the test says otherwise; only for `expect.poll` that is a setting. */
type Options = Parameters<typeof vi.waitFor>[1]
const { waitFor, waitUntil } = vi
const beMorePatient = (options: Options) =>
  typeof options === 'number' ? { timeout: options } : { timeout: PATIENCE_MS, ...options }

vi.waitFor = (look, options) => waitFor(look, beMorePatient(options))
vi.waitUntil = (look, options) => waitUntil(look, beMorePatient(options))

/** Where `localhost` has two addresses, Node gives the first one 250 ms, and then says that nothing listens at the second. */
setDefaultAutoSelectFamilyAttemptTimeout(PATIENCE_MS)
