// Endpoints of the identity provider on hosts that its issuer does not show (Google has four): a hostile MCP server could have users go there
// by naming them as those of its own authorization server, and get what is issued for another one.
import { afterEach, beforeEach, expect, it } from 'vitest'
import { SAMPLE_USERS, type User } from '../../src/sandbox/users.ts'
import { type AccountStage, startAccountStage } from '../support/account-stage.ts'
import { describeServer, type ScriptedAccount, SERVER_METADATA, startScriptedAccount } from '../support/scripted-account.ts'
import { sendForm, signInVisitor } from '../support/visitor.ts'

const [alice] = SAMPLE_USERS as readonly [User, User]
const OPENID = '/.well-known/openid-configuration'

let saas: ScriptedAccount
let documents: ScriptedAccount
let stage: AccountStage
beforeEach(async () => {
  ;[saas, documents] = await Promise.all([startScriptedAccount(), startScriptedAccount()])
  stage = await startAccountStage(saas.url, { provider: { metadata_url: `${documents.origin}${OPENID}` } })
  const { issuer, port } = stage.identityProvider
  documents.script(OPENID, async () => {
    const document = (await (await fetch(`${issuer}${OPENID}`)).json()) as Record<string, unknown>
    const moved = Object.entries(document).map(([name, value]) => {
      const isAsked = typeof value === 'string' && name !== 'issuer' && name !== 'authorization_endpoint'
      return [name, isAsked ? value.replace(issuer, `http://127.0.0.1:${port}`) : value]
    })
    return Object.fromEntries(moved)
  })
})
afterEach(async () => {
  await stage.close()
  await Promise.all([saas.close(), documents.close()])
})

it('are not where users connect an account', async () => {
  const { port } = stage.identityProvider
  saas.script(SERVER_METADATA, () =>
    describeServer(saas.origin, { authorization_endpoint: `http://127.0.0.1:${port}/authorize` }),
  )
  const browser = await signInVisitor(stage.proxy.origin, alice)
  const page = await sendForm(browser, `${stage.proxy.origin}/connections`, { action: 'connect', server: 'saas' })
  expect([page.status, await page.text()]).toEqual([502, expect.stringContaining('cannot be connected')])
  expect(saas.at('/register')).toEqual([])
})

it('leave accounts elsewhere alone', async () => {
  const browser = await signInVisitor(stage.proxy.origin, alice)
  const page = await sendForm(browser, `${stage.proxy.origin}/connections`, { action: 'connect', server: 'saas' })
  expect(page.status).toBe(200)
  expect(saas.at('/register')).toHaveLength(1)
})
