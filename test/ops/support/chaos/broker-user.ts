import { SAMPLE_USERS } from '../../../../src/sandbox/users.ts'
import { createRawClient, obtainTokens, type RawClient, refresh } from '../../../support/broker-client.ts'
import type { Journal } from '../fleet/journal.ts'
import { nextId, type Player } from '../fleet/players.ts'
import { type Caller, createCall, sendAs, track } from '../fleet/requests.ts'
import { CLIENT_WAITS_MS, type Verdict } from '../fleet/verdict.ts'

const CALLS_OF_SIGN_IN = 12
/** A refresh after so many calls. */
const CALLS_OF_TOKEN = 4

interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
}

const clients = new WeakMap<Caller, RawClient>()

/** A user who signs in by the broker, calls the server behind `/desk`, and refreshes the token now and then. */
export const useBroker: Player = async (caller, journal, isOver) => {
  const user = SAMPLE_USERS[caller.user.length % SAMPLE_USERS.length] ?? SAMPLE_USERS[0]
  const client = clients.get(caller) ?? (await attempt(journal, 'registration', () => createRawClient(caller.origin)))
  if (client === undefined) return
  clients.set(caller, client)
  const resource = { resource: `${caller.origin}/desk`, scope: undefined }
  let tokens: Tokens | undefined = await attempt(journal, 'sign-in', () => obtainTokens(caller.origin, client, user, resource))
  for (let calls = 1; tokens !== undefined && calls <= CALLS_OF_SIGN_IN && !isOver(); calls += 1) {
    await caller.pause()
    await callDesk(caller, journal, tokens.access_token)
    if (calls % CALLS_OF_TOKEN === 0) tokens = await refreshTokens(caller, journal, client, tokens)
  }
}

async function callDesk(caller: Caller, journal: Journal, token: string): Promise<void> {
  const nonce = nextId()
  const { sub } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { sub: string }
  const outcome = await sendAs(caller, '/desk', { body: createCall(nonce, 'echo', { nonce }), token })
  journal.note('broker call', outcome, new Map([[nonce, `${sub} ${nonce}`]]))
}

/** A client that got no answer asks again with the same refresh token; one that is refused for good signs in anew. */
async function refreshTokens(
  { origin }: Caller,
  journal: Journal,
  client: RawClient,
  tokens: Tokens,
): Promise<Tokens | undefined> {
  const renewed = await attempt(journal, 'refresh', async () => {
    const answer = await refresh(origin, client, tokens.refresh_token, { resource: `${origin}/desk` })
    const text = await answer.text()
    if (answer.status === 400) return undefined
    if (!answer.ok) throw new Error(`refresh: ${answer.status} ${text}`)
    return JSON.parse(text) as Tokens
  })
  return renewed
}

/** Does what takes several requests of browser and client. It throws when one of them is refused, and TypeError when one is not answered. */
async function attempt<T>(journal: Journal, kind: string, work: () => Promise<T>): Promise<T | undefined> {
  const startedAt = performance.now()
  const note = (verdict: Verdict, body = ''): void => {
    const ms = performance.now() - startedAt
    const outcome = { status: 0, headers: {}, body, isComplete: true, ms, firstMs: undefined }
    journal.note(kind, outcome, ms >= CLIENT_WAITS_MS ? 'lost' : verdict)
  }
  try {
    const value = await track(work)
    note(value === undefined ? 'refused' : 'right')
    return value
  } catch (error) {
    note(error instanceof TypeError ? 'broken' : 'refused', String(error))
    return undefined
  }
}
