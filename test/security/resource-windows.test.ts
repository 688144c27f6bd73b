// Rules about files of Windows: drives, network shares and streams have many spellings, and paths without a drive have one that the
// process adds.
import { afterAll, beforeAll, describe, it } from 'vitest'
import { checkAttempt, createCall, type Stage, startStage } from '../support/stage.ts'

let drive: Stage
let plain: Stage
let listed: Stage
let share: Stage
beforeAll(async () => {
  drive = await startStage({
    server: {
      rules: [
        { resource: 'file:///C:/secret/**', scopes: ['secrets'] },
        { resource: 'file:///d:/one.txt', scopes: ['secrets'] },
      ],
    },
  })
  plain = await startStage({
    server: {
      rules: [
        { resource: 'C:/secret/**', scopes: ['secrets'] },
        { resource: 'd:/one.txt', scopes: ['secrets'] },
      ],
    },
  })
  listed = await startStage({
    server: {
      rules: [
        { tool: 'echo', scopes: [] },
        { resource: 'file:///C:/public/**', scopes: [] },
      ],
      unlisted_operations: 'deny',
    },
  })
  share = await startStage({ server: { rules: [{ resource: 'file://server/share/secret/**', scopes: ['secrets'] }] } })
})
afterAll(() => Promise.all([drive.close(), plain.close(), listed.close(), share.close()]))

const read = (uri: string) => createCall('resources/read', { uri })
const secrets = { status: 403, code: 'scope_insufficient', scope: 'mcp:tools secrets', id: 1 }
const unclear = { status: 403, code: 'resource_uri_ambiguous', rpc: -31403, id: 1 }
const unlisted = { status: 403, code: 'policy_denied', id: 1 }

describe.each([
  ['as a URI', () => drive],
  ['as a path', () => plain],
])('a file on a drive that a rule names %s is refused without the scope, spelled as', (_way, stage) => {
  it.each([
    'file:///C:/secret/k',
    'file:///c:/secret/k',
    'file:///c%3A/secret/k',
    'file:///c|/secret/k',
    'file:///C:\\secret\\k',
    'file:////C:/secret/k',
    'file:////localhost/C$/secret/k',
    'file://localhost/C$/secret/k',
    'file:///C:/public/..\\secret\\k',
    'file:///C:/secret::$INDEX_ALLOCATION/k',
    'file:///C:/secret:$I30:$INDEX_ALLOCATION/k',
    'file:///D:/one.txt::$DATA',
    'file:///D:/one.txt. .',
    'file:///C:/public//secret/k',
    'file:///secret/k',
    'file:/secret/k',
    '/secret/k',
    'C:/secret/k',
    'file:C:/secret/k',
    'C:\\secret\\k',
  ])('%j', async (uri) => {
    await checkAttempt(stage(), { body: read(uri) }, secrets)
  })

  it.each([
    'file:///C:secret/k',
    'file:///C:../secret/k',
    'file:///C:/public/C:../secret/k',
    'file:///C:/public/C:/secret/k',
    'file:///D:/public/C:/secret/k',
    'file:////?/C:/secret/k',
    '\\\\?\\C:\\secret\\k',
    'file:///D:/../C:/secret/k',
    'file:////./C:/secret/k',
    'file://C:/secret/k',
  ])('%j, which depends on a working directory or on the opener', async (uri) => {
    await checkAttempt(stage(), { body: read(uri) }, unclear)
  })

  it.each(['file:///C:/public/k', 'file:///D:/secret/k', 'file:///c%3A/Program%20Files%20(x86)/a+b.txt'])(
    'but not %j, which is another one',
    async (uri) => {
      await checkAttempt(stage(), { body: read(uri) }, { status: 200 })
    },
  )
})

describe('with a directory of a drive alone open', () => {
  it.each(['file:///C:/public/k', 'file:///c:/public/k', 'file:///c%3A/public/a%20b.txt', 'file:///C:/public/'])(
    '%j is served',
    async (uri) => {
      await checkAttempt(listed, { body: read(uri) }, { status: 200 })
    },
  )

  it.each(['file:///C:/secret/k', 'file:///C:/public/../secret/k', 'file:///D:/public/k', 'file:///public/k', '/public/k'])(
    '%j is not',
    async (uri) => {
      await checkAttempt(listed, { body: read(uri) }, unlisted)
    },
  )
})

describe('a file of a share is refused without the scope, spelled as', () => {
  it.each([
    'file://server/share/secret/k',
    'file://SERVER/share/secret/k',
    'file:////server/share/secret/k',
    'file://///server/share/secret/k',
    '\\\\server\\share\\secret\\k',
    'file:\\\\server\\share\\secret\\k',
    '\\\\?\\UNC\\server\\share\\secret\\k',
  ])('%j', async (uri) => {
    await checkAttempt(share, { body: read(uri) }, secrets)
  })
})
