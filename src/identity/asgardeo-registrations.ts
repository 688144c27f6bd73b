import type { AsgardeoApi } from './asgardeo-api.ts'
import { formatCallbackUrls } from './asgardeo-callback-urls.ts'
import { AsgardeoError } from './asgardeo-error.ts'

const REGISTER = '/api/identity/oauth2/dcr/v1.1/register'

/** A client that Asgardeo registered. */
export interface RegisteredClient {
  readonly clientId: string
  readonly clientSecret: string
}

/**
 * Registers a client through the interface for dynamic client registration.
 *
 * @param name - unique at Asgardeo
 * @throws AsgardeoError
 */
export async function registerClient(api: AsgardeoApi, name: string, callbackUrl: string): Promise<RegisteredClient> {
  const { document } = await api.send({
    method: 'POST',
    path: REGISTER,
    body: {
      client_name: name,
      redirect_uris: [formatCallbackUrls([callbackUrl])],
      grant_types: ['authorization_code', 'refresh_token'],
    },
    scope: 'internal_dcr_create',
  })
  const { client_id: clientId, client_secret: clientSecret } = document ?? {}
  if (isWord(clientId) && isWord(clientSecret)) return { clientId, clientSecret }
  if (isWord(clientId)) await unregisterClient(api, clientId)
  throw new AsgardeoError('unavailable', 'Asgardeo registered a client and does not show its credentials')
}

/** Ends a registration; one that is gone already is fine. */
export async function unregisterClient(api: AsgardeoApi, clientId: string): Promise<void> {
  try {
    await api.send({ method: 'DELETE', path: `${REGISTER}/${encodeURIComponent(clientId)}`, scope: 'internal_dcr_delete' })
  } catch (error) {
    if (!(error instanceof AsgardeoError) || error.kind !== 'missing') throw error
  }
}

function isWord(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]{1,512}$/.test(value)
}
