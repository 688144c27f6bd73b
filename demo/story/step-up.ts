import type { User } from '../../src/sandbox/users.ts'
import type { Narrator } from '../narrator.ts'
import type { OAuthClient } from '../oauth-client.ts'
import { type Actor, createActor, createTransport, type Stage } from './actor.ts'
import { check, formatName, readText, tell, tellToken, visitPages } from './telling.ts'

/** Bob may grant what Alice may not: his client is refused the same way, asks him, and goes on. */
export async function stepUp(stage: Stage, registered: OAuthClient, narrator: Narrator): Promise<void> {
  const actor = createActor(stage, registered.clientInformation())
  await connectAs(actor, stage, stage.bob, narrator)
  const redirect = await beRefusedAndAsk(actor, stage, narrator)
  await callAfterConsent(actor, redirect, narrator)
  await actor.client.close()
}

async function connectAs(actor: Actor, stage: Stage, user: User, narrator: Narrator): Promise<void> {
  narrator.step(`${formatName(user)}, an administrator, connects the same application`)
  await actor.client.connect(actor.transport).catch(() => undefined)
  const redirect = await visitPages(actor.oauth, user, narrator)
  await actor.transport.finishAuth(redirect.searchParams)
  const { scope } = tellToken(actor.oauth, narrator)
  check(scope === 'mcp:tools', 'the client must get what it asked for and no more')
  actor.transport = createTransport(stage, actor.oauth, actor.wire, 'reauthorize')
  await actor.client.connect(actor.transport)
  narrator.meaning('Bob could grant more, but the client has not asked for it: it holds only what it needs.')
}

async function beRefusedAndAsk({ client, oauth, wire }: Actor, stage: Stage, narrator: Narrator): Promise<URL> {
  narrator.step('His client calls the admin tool, is refused, and asks him for the missing scope (step-up)')
  wire.clear()
  await client.callTool({ name: 'admin_reset' }).catch(() => undefined)
  tell(narrator, wire.take('POST', stage.url))
  const wanted = oauth.waitingFor()?.searchParams.get('scope') ?? ''
  narrator.sent(`authorization request for the scopes ${wanted}`)
  check(wanted.split(' ').includes('mcp:admin'), 'the client must ask for the scope that was missing')
  check(wanted.split(' ').includes('mcp:tools'), 'the client must keep the scope that it had')
  return visitPages(oauth, stage.bob, narrator)
}

async function callAfterConsent({ client, oauth, transport }: Actor, redirect: URL, narrator: Narrator): Promise<void> {
  narrator.step('With the wider token, the same call passes')
  await transport.finishAuth(redirect.searchParams)
  const { scope } = tellToken(oauth, narrator)
  check(String(scope).split(' ').includes('mcp:admin'), 'the token must hold the scope now')
  const text = readText(await client.callTool({ name: 'admin_reset' }))
  narrator.received(text)
  check(text.includes('echo: 1'), 'the MCP server must have seen one call of echo')
  check(
    text.includes('admin_reset: 1.'),
    'the MCP server must have seen this call of the admin tool, and neither of the refused ones',
  )
  narrator.meaning('The MCP server counts its calls: it never saw the two that were refused.')
}
