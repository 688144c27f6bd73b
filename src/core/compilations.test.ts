import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const run = promisify(execFile)

/** A tag of V8 that depends on its flags alone, on one machine: it tells code that was compiled under other flags. */
const PRINT_TAG = "import { cachedDataVersionTag } from 'node:v8'\nconsole.log(cachedDataVersionTag())"

/** The tag of a process of its own, since flags of V8 cannot be taken back. */
async function readTag(flags: readonly string[], before = ''): Promise<string> {
  const script = `${before}\n${PRINT_TAG}`
  const { stdout, stderr } = await run(process.execPath, [...flags, '--input-type=module', '-e', script])
  // V8 tells flags that it does not know on standard error, and goes on without them.
  expect(stderr).toBe('')
  return stdout
}

const call = (name: string) =>
  `import { ${name} } from ${JSON.stringify(new URL('compilations.ts', import.meta.url).href)}\n${name}()`

const MAGLEV = '--no-maglev-destroy-on-background'
const BUDGET = '--wasm-tiering-budget=1300000000'

describe('flags of V8 that are set while it runs', () => {
  it.each([
    ['freeCompilationsAtOnce', MAGLEV],
    ['deferParserCompilation', BUDGET],
  ])('%s sets what the command line would set with %s', async (name, flag) => {
    const [set, given, plain] = await Promise.all([readTag([], call(name)), readTag([flag]), readTag([])])
    expect(set).toBe(given)
    expect(set).not.toBe(plain)
  })
})

/** Prints the tag while a proxy runs. */
const serve = (options: object) => `
import { startProxy } from ${JSON.stringify(new URL('../app.ts', import.meta.url).href)}
import { loadConfigValue } from ${JSON.stringify(new URL('../config/load.ts', import.meta.url).href)}
const config = {
  public_url: 'http://localhost:8080',
  listen: { port: 0 },
  log: { level: 'silent' },
  issuers: ['http://127.0.0.1:1'],
  servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:1/mcp' }],
}
const { plan } = loadConfigValue(config, { env: {}, directory: '.', terminal: false })
const proxy = await startProxy(plan, ${JSON.stringify(options)})
setImmediate(() => proxy.close())`

describe('a proxy', () => {
  it('sets these flags where the process is its own, and none where it is not', async () => {
    const [own, given] = await Promise.all([readTag([], serve({ ownsProcess: true })), readTag([MAGLEV, BUDGET])])
    expect(own).toBe(given)
    const [shared, plain] = await Promise.all([readTag([], serve({})), readTag([])])
    expect(shared).toBe(plain)
  })
})
