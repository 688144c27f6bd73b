// Spellings of resource URIs that some opener takes for a protected resource, though a rule compared letter by letter would not.
import { afterAll, beforeAll, describe, it } from 'vitest'
import { checkAttempt, createCall, type Stage, startStage } from '../support/stage.ts'

let closed: Stage
let both: Stage
let open: Stage
let single: Stage
const opened = [
  { tool: 'echo', scopes: [] },
  { resource: 'file:///srv/public/**', scopes: [] },
]
const tree = [...opened, { resource: 'file:///srv/secret/**', scopes: ['secrets'] }]
beforeAll(async () => {
  closed = await startStage({ server: { rules: opened, unlisted_operations: 'deny' } })
  both = await startStage({ server: { rules: tree, unlisted_operations: 'deny' } })
  open = await startStage({ server: { rules: tree } })
  single = await startStage({
    server: {
      rules: [
        { resource: 'file:///srv/secret/k', scopes: ['secrets'] },
        { resource: 'note://internal/secret', scopes: ['secrets'] },
        { resource: 'HTTPS://Intra.Example:443/Pay%20roll/**', scopes: ['secrets'] },
      ],
    },
  })
})
afterAll(() => Promise.all([closed.close(), both.close(), open.close(), single.close()]))

const secrets = { status: 403, code: 'scope_insufficient', scope: 'mcp:tools secrets', id: 1 }
const unlisted = { status: 403, code: 'policy_denied', id: 1 }

/** With a rule that opens another directory, one that asks for a scope, and both. */
async function checkRefused(body: unknown, ofBoth: typeof secrets | typeof unlisted): Promise<void> {
  await checkAttempt(closed, { body }, unlisted)
  await checkAttempt(open, { body }, secrets)
  await checkAttempt(both, { body }, ofBoth)
}

const read = (uri: string) => createCall('resources/read', { uri })

describe('a resource below a protected directory is refused without the scope, spelled as', () => {
  const F = 'file:///srv'
  it.each([
    `${F}/public/a\\x/../../secret/k`,
    `${F}/public/x/..%2f..%2fsecret%2fk`,
    `${F}/public/..%20/secret/k`,
    `${F}/public/..;a=b/secret/k`,
    `${F}/public/\uff0e\uff0e/secret/k`,
    `${F}/public/..%09/secret/k`,
    `${F}/public/..%c0%afsecret/k`,
    `${F}/public/..%e0%80%afsecret/k`,
    `${F}/public/..%f0%80%80%afsecret/k`,
    // Decoded but for separators (decodeURI), and parsed then.
    `${F}/public/a%2fb/%252e%252e/%252e%252e/secret/k`,
    `${F}/public//srv/secret/k`,
    `${F}/public/.%0d./secret/k`,
    `${F}/secret/k`,
    `${F}/secret/k/.`,
    `file://localhost${F.slice(7)}/secret/k`,
  ])('%j', async (uri) => {
    await checkRefused(read(uri), secrets)
  })

  // These may also mean what no rule names, so that no scope would help.
  it.each([
    `${F}/public//..\t/secret/k`,
    `${F}/public/?/../../secret/k`,
    `${F}/public/#/../../secret/k`,
    `${F}/public/../%23/../secret/k`,
    `${F}/secret//k/`,
    `${F}/./secret/k`,
    `${F}/secret`,
    `${F}/SECRET/k`,
    // The same to file systems that ignore case, and to those that ignore what nobody sees.
    `${F}/\u017fecret/k`,
    `${F}/sec\u200cret/k`,
    // Prefixes that URL parsers take off (Java's URL, Python's urllib.request).
    `URL:${F}/secret/k`,
    `url: ${F}/secret//k`,
    `jar:${F}/secret/k!/x`,
    // With the scheme of what it is relative to, a reference without a slash stays relative.
    `${F}/public/file:../secret/k`,
    `${F}/public/FILE:../secret/k`,
    // A path that begins with two slashes loses them with the empty authority (Python's urlunsplit, by urldefrag and urljoin), and is relative.
    'file:////secret/k#x',
    'file:////secret/k',
    'file:////srv/../secret/k#x',
    '/srv/secret/k',
  ])('%j, which may be something else', async (uri) => {
    await checkRefused(read(uri), unlisted)
  })

  it.each([
    `${F}/public/..%23`,
    `${F}/public/..%20`,
    `${F}/public/..%3f`,
    `${F}/public/..`,
    `${F}/public/../`,
    `${F}/public//srv/public `,
  ])('%j, which names what is beside', async (uri) => {
    await checkAttempt(closed, { body: read(uri) }, unlisted)
    await checkAttempt(both, { body: read(uri) }, unlisted)
  })
})

describe('a single protected resource is refused without the scope, spelled as', () => {
  it.each([
    'file:///srv/secret/k',
    'file:///srv/secret/k/',
    'file:///srv/secret/k/.',
    'file:///srv/secret/k?x',
    'file:///srv/secret/k;x',
    'file:///srv/secret//k',
    'note://internal/secret',
    'note://other/secret',
    'note://@internal/secret',
    'note://x@internal/secret',
    'note:/secret',
    'note:internal/secret',
    'note:///internal/secret',
    'note:////internal/secret',
    'note:////internal/secret#x',
    'note://x/../internal/secret',
    'https://intra.example/Pay%20roll/may',
    'https://INTRA.example:443/Pay roll/may',
    'URL:https://intra.example/Pay%20roll/may',
    'https://user@intra.example./x/../Pay%20roll/may',
    'https://other.example\\@intra.example/Pay%20roll/may',
  ])('%j', async (uri) => {
    await checkAttempt(single, { body: read(uri) }, secrets)
  })
})

it('letters that a file system takes for one are one', async () => {
  const stage = await startStage({
    server: {
      rules: [
        { resource: 'file:///srv/Ma\u00dfe/**', scopes: ['secrets'] },
        { resource: 'file:///\u039f\u03a3*', scopes: ['secrets'] },
      ],
    },
  })
  for (const name of ['srv/MASSE/k', 'srv/ma\u1e9ee/k', '\u03bf\u03c2', '\u039f\u03a3\u039f', '\u03bf\u03c3\u03bf'])
    await checkAttempt(stage, { body: read(`file:///${name}`) }, secrets)
  await stage.close()
})

describe('where rules tell authorities apart', () => {
  let apart: Stage
  let one: Stage
  beforeAll(async () => {
    const rules = [
      { tool: 'echo', scopes: [] },
      { resource: 'demo://public/**', scopes: [] },
      { resource: 'git+ssh://host/**', scopes: [] },
      { resource: 'https://docs.example/**', scopes: [] },
    ]
    one = await startStage({ server: { rules, unlisted_operations: 'deny' } })
    const more = [
      { resource: 'demo://internal/**', scopes: ['secrets'] },
      { resource: 'demo://public/pay/**', scopes: ['secrets'] },
    ]
    apart = await startStage({ server: { rules: [...rules, ...more], unlisted_operations: 'deny' } })
  })
  afterAll(() => Promise.all([apart.close(), one.close()]))

  it.each([
    'demo://public/a/b',
    'demo://public/a?x=1#y',
    'git+ssh://host/a+b.git',
    'https://docs.example',
    'https://docs.example?x',
  ])('%j is served', async (uri) => {
    await checkAttempt(apart, { body: read(uri) }, { status: 200 })
    await checkAttempt(one, { body: read(uri) }, { status: 200 })
  })

  it.each(['demo:public/../internal/x', 'demo:///internal/x', 'demo://INTERNAL/x'])(
    '%j, which no rule names, is not',
    async (uri) => {
      await checkAttempt(one, { body: read(uri) }, unlisted)
      await checkAttempt(apart, { body: read(uri) }, unlisted)
    },
  )

  it.each(['demo://public/../internal/x', 'demo://public//internal/x'])(
    '%j, which an opener that cuts the scheme off reads below another, is not',
    async (uri) => {
      await checkAttempt(one, { body: read(uri) }, unlisted)
      await checkAttempt(apart, { body: read(uri) }, secrets)
    },
  )

  it.each(['demo://internal/x', 'demo://public/pay/x', 'demo://public/a/../pay/x'])(
    '%j needs the scope of its rule',
    async (uri) => {
      await checkAttempt(apart, { body: read(uri) }, secrets)
    },
  )
})

it.each(['/srv/secret/**', '**/secret/**', '*:///srv/secret/**', 'f*:///srv/secret/**'])(
  'a rule about %j is about files, whose relative spelling depends on the opener',
  async (resource) => {
    const stage = await startStage({ server: { rules: [{ resource, scopes: ['secrets'] }] } })
    await checkAttempt(stage, { body: read('file:secret/k') }, { status: 403, code: 'resource_uri_ambiguous', id: 1 })
    await checkAttempt(stage, { body: read('file:///srv/secret/k') }, secrets)
    await checkAttempt(stage, { body: read('https://h/x') }, { status: 200 })
    await stage.close()
  },
)

describe('a URI that can mean anything is refused with an error that says so:', () => {
  it.each([
    ['another host', 'file://x/srv/secret/k'],
    ['another host with a user', 'file://@x/srv/secret/k'],
    ['a host that may be a directory', 'file://srv/secret/k'],
    ['a relative path', 'file:secret/k'],
    ['a relative path without a scheme', 'secret/k'],
    ['a URL in angle brackets', '<URL:file:///srv/secret/k>'],
    ['an escaped NUL', 'file:///srv/secret/k%00.txt'],
    ['hundreds of rounds of escaping', `file:///srv/public/%${'25'.repeat(300)}2e`],
    ['a long one', `file:///srv/public/${'x'.repeat(8192)}`],
    ['all tricks at once', 'file:///srv/public/a\\;b/..\t%2f+%23?\\%5c/..;//%2523%09'],
  ])('%s', async (_what, uri) => {
    await checkAttempt(open, { body: read(uri) }, { status: 403, code: 'resource_uri_ambiguous', rpc: -31403, id: 1 })
  })
})

describe('completing a template cannot leave what a rule opens, with', () => {
  const complete = (uri: string, name: string, value: string, others?: Record<string, string>) =>
    createCall('completion/complete', {
      ref: { type: 'ref/resource', uri },
      argument: { name, value },
      ...(others && { context: { arguments: others } }),
    })
  const template = 'file:///srv/public/{+path}'
  it.each([
    ['../secret/', complete(template, 'path', '../secret/')],
    ['..%2fsecret/', complete(template, 'path', '..%2fsecret/')],
    ['..\\secret\\', complete(template, 'path', '..\\secret\\')],
    ['/srv/secret/', complete(template, 'path', '/srv/secret/')],
    ['a directory that was chosen before', complete('file:///srv/public/{dir}/{name}', 'name', 'k', { dir: '../secret' })],
    ['a variable of another operator', complete('file:///srv/public{/dir,name}', 'name', 'k', { dir: '../secret' })],
    ['a variable of its own root', complete('file:///srv/{+path}', 'path', 'secret/')],
    ['a whole URI', complete('{+uri}', 'uri', 'file:///srv/secret/')],
  ])('%s', async (_what, body) => {
    await checkRefused(body, secrets)
  })

  it.each([
    ['a URI', complete(template, 'path', 'file:///srv/secret/')],
    ['the beginning of a name', complete(template, 'path', 'x/../../sec')],
  ])('%s, which may be something else', async (_what, body) => {
    await checkRefused(body, unlisted)
  })

  it.each([
    ['a list', { name: 'path', value: ['../secret/'] }],
    ['an object', { name: 'path', value: { toString: 1 } }],
    ['no name', { value: '../secret/' }],
    ['an argument that is a text', 'path'],
  ])('%s for a value', async (_what, argument) => {
    const body = createCall('completion/complete', { ref: { type: 'ref/resource', uri: template }, argument })
    await checkAttempt(closed, { body }, { status: 400, code: 'params_invalid', id: 1 })
  })

  it('a value under another name', async () => {
    const body = complete(template, 'other', '../secret/')
    await checkRefused(body, secrets)
  })

  it('two values for one variable', async () => {
    const body = complete(template, 'path', 'a', { path: '../secret/' })
    await checkAttempt(closed, { body }, { status: 400, code: 'params_invalid', id: 1 })
  })

  it('a key that looks like another', async () => {
    const ref = { type: 'ref/resource', uri: template }
    for (const params of [
      { ref, argument: { name: 'path', value: 'a', Value: '../secret/' } },
      { ref, argument: { name: 'path', value: 'a' }, Argument: { name: 'path', value: '../secret/' } },
    ]) {
      const body = createCall('completion/complete', params)
      await checkAttempt(closed, { body }, { status: 400, code: 'json_ambiguous', id: 1 })
    }
  })

  it('but works with values that stay there', async () => {
    for (const value of ['', 're', 'reports/may', 'Ü b']) {
      await checkAttempt(closed, { body: complete(template, 'path', value) }, { status: 200 })
      await checkAttempt(open, { body: complete(template, 'path', value) }, { status: 200 })
    }
  })
})

describe('an ordinary URI is read as ever:', () => {
  it.each([
    'file:///srv/public/a',
    'file:///srv/public/',
    'file:///srv/public/with%20space.txt',
    'file:///srv/public/with space.txt',
    'file:///srv/public/gr%C3%BC%C3%9Fe/日本語.md',
    'file:///srv/public/a+b(1)%2B[2].txt',
    'file:///srv/public/.git/config?raw=1#L10',
    'file:///srv/public/100%25.txt',
    'file://localhost/srv/public/a',
  ])('%j', async (uri) => {
    await checkAttempt(closed, { body: read(uri) }, { status: 200 })
    await checkAttempt(open, { body: read(uri) }, { status: 200 })
  })

  it.each([
    'note://internal/public',
    'note://other',
    'note:x',
    'https://other.example/Pay%20roll/may?u=https://intra.example/x',
    'urn:isbn:0-395-36341-1',
    'data:text/plain;base64,AA==',
    'https://h/p;v=1?q=a+b&c=%2F..%2F#x',
  ])('%j', async (uri) => {
    await checkAttempt(single, { body: read(uri) }, { status: 200 })
  })
})
