// The token endpoint of a profile.
import { createHash, randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { type Claims, type Grant, type State, SUBJECT, sendJson, VENDOR_CLIENT } from './vendor.ts'

export async function issueTokens(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const form = new URLSearchParams(await text(request))
  state.tokenRequests.push(form)
  const send = state.vendor.sendTokens ?? ((_request, to, status, members) => sendJson(to, status, members))
  const isKnown = isAuthenticated(state, form, request.headers.authorization)
  if (!isKnown)
    return send(request, response, 401, { error: 'invalid_client', error_description: 'Client authentication failed.' })
  const grant = findGrant(state, form)
  const refusal = state.vendor.refuseToken?.(form, grant)
  if (refusal !== undefined) return send(request, response, 400, { ...refusal })
  if (grant === undefined) return send(request, response, 400, { error: 'invalid_grant', error_description: 'It is over.' })
  send(request, response, 200, await createTokens(state, grant))
}

function isAuthenticated(
  { vendor: { authentication }, clients }: State,
  form: URLSearchParams,
  header: string | undefined,
): boolean {
  const registered = clients.get(form.get('client_id') ?? '')
  if (registered !== undefined) return registered.secret === (form.get('client_secret') ?? undefined)
  const expected = `Basic ${Buffer.from(`${VENDOR_CLIENT.id}:${VENDOR_CLIENT.secret}`).toString('base64')}`
  if (authentication === 'client_secret_basic') return header === expected
  return form.get('client_id') === VENDOR_CLIENT.id && form.get('client_secret') === VENDOR_CLIENT.secret && header === undefined
}

function findGrant(state: State, form: URLSearchParams): Grant | undefined {
  if (form.get('grant_type') === 'refresh_token') return findRefreshed(state, form.get('refresh_token') ?? '')
  const { codes } = state
  const code = form.get('code') ?? ''
  const grant = codes.get(code)
  codes.delete(code)
  const challenge = createHash('sha256')
    .update(form.get('code_verifier') ?? '')
    .digest('base64url')
  const { authorization } = grant ?? {}
  const isSame =
    authorization?.get('redirect_uri') === form.get('redirect_uri') && authorization.get('code_challenge') === challenge
  return isSame ? grant : undefined
}

function findRefreshed({ vendor, refreshTokens, usedRefreshTokens }: State, token: string): Grant | undefined {
  const grant = refreshTokens.get(token)
  if (vendor.rotatesRefreshTokens !== true) return grant
  const stolen = usedRefreshTokens.get(token)
  if (stolen !== undefined)
    for (const [other, { authorization }] of refreshTokens)
      if (authorization === stolen.authorization) refreshTokens.delete(other)
  refreshTokens.delete(token)
  if (grant !== undefined) usedRefreshTokens.set(token, grant)
  return grant
}

async function createTokens(state: State, grant: Grant): Promise<Claims> {
  const { vendor, issuer } = state
  const now = Math.floor(Date.now() / 1000)
  const claims = vendor.accessToken(grant)
  const times = { iat: now, exp: now + 3600 }
  const accessToken =
    claims === undefined
      ? `${vendor.opaquePrefix ?? ''}${randomUUID()}`
      : await state.signer.sign({ iss: issuer, ...times, ...claims })
  state.access.set(accessToken, grant)
  state.accessTokens.push(accessToken)
  const refreshToken = vendor.givesRefreshToken(grant) ? randomUUID() : undefined
  if (refreshToken !== undefined) state.refreshTokens.set(refreshToken, grant)
  const nonce = grant.authorization.get('nonce')
  const idToken =
    vendor.idToken &&
    (await state.signer.sign({
      iss: issuer,
      aud: VENDOR_CLIENT.id,
      sub: SUBJECT,
      ...times,
      ...(nonce !== null && { nonce }),
      ...vendor.idToken(grant),
    }))
  return {
    access_token: accessToken,
    token_type: 'Bearer',
    expires_in: 3600,
    scope: grant.scopes.join(' '),
    ...(refreshToken !== undefined && { refresh_token: refreshToken }),
    ...(idToken !== undefined && { id_token: idToken }),
  }
}
