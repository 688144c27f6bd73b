import * as oauth from 'oauth4webapi'
import { guard, IdentityProviderError } from './error.ts'
import { askForTokens, type Session } from './session.ts'
import type { KeepRefreshToken, SignedInUser } from './signed-in-user.ts'
import { describeUser } from './user.ts'

export async function refresh(session: Session, user: SignedInUser, keep: KeepRefreshToken): Promise<SignedInUser> {
  const { refreshToken } = user.tokens
  if (refreshToken === undefined) throw new IdentityProviderError('ended', 'there is no refresh token')
  const metadata = await session.protocol.findMetadata()
  // Where refresh tokens are good once, a second request with the same one is taken for theft, and ends the session there.
  if (session.refreshing.has(refreshToken))
    throw new IdentityProviderError('unavailable', 'the token endpoint has not answered the last request with this refresh token')
  session.refreshing.add(refreshToken)
  const asked = useRefreshToken(session, metadata, refreshToken, keep).finally(() => session.refreshing.delete(refreshToken))
  const { response, tokens } = await waitFor(asked, session)
  const idToken = await session.protocol.verifyIdToken(session.request, metadata, { response, tokens })
  const fresh = await describeUser(session, metadata, { tokens, idToken }, user)
  return { ...fresh, tokens: { ...fresh.tokens, refreshToken: tokens.refresh_token ?? refreshToken } }
}

async function useRefreshToken(
  { client, authentication, patientRequest }: Session,
  metadata: oauth.AuthorizationServer,
  refreshToken: string,
  keep: KeepRefreshToken,
) {
  const answer = await askForTokens(
    () => oauth.refreshTokenGrantRequest(metadata, client, authentication, refreshToken, patientRequest),
    (response) => oauth.processRefreshTokenResponse(metadata, client, response),
  ).catch((error: unknown) => {
    throw readRefusal(error)
  })
  const next = answer.tokens.refresh_token ?? refreshToken
  if (next !== refreshToken) await guard(() => keep(next), 'its new refresh token could not be stored')
  return answer
}

/**
 * Dex and LemonLDAP::NG call a request with a refresh token that is over invalid (400). Sent again it stays so, and a new sign-in is what
 * helps; a client or grant that is refused has codes of its own (RFC 6749 §5.2).
 */
function readRefusal(error: unknown): unknown {
  if (!(error instanceof IdentityProviderError)) return error
  const { cause, message } = error
  const isOver = cause instanceof oauth.ResponseBodyError && cause.status === 400 && cause.error === 'invalid_request'
  return isOver ? new IdentityProviderError('ended', message, { cause }) : error
}

/** Stops waiting in time, and lets the work go on. What it fails with later was told already, as an answer that did not come. */
function waitFor<T>(work: Promise<T>, { signal, plan }: Session): Promise<T> {
  return new Promise((resolve, reject) => {
    const message = `the token endpoint: no complete answer within ${plan.timeoutSeconds} s`
    const stop = () => reject(new IdentityProviderError('unavailable', message))
    if (signal?.aborted) stop()
    signal?.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject)
  })
}
