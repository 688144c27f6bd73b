import { randomUUID } from 'node:crypto'
import { type Answer, findByClientId, type Question, randomWord, type State } from './state.ts'

const REGISTER = '/api/identity/oauth2/dcr/v1.1/register'

const refuse = (status: number, error: string, description: string): Answer => ({
  status,
  body: { error, error_description: description },
})

/** The interface for dynamic client registration. */
export const registrationRoutes = [
  ['POST', REGISTER, 'dcr', 'internal_dcr_create', register],
  ['GET', `${REGISTER}/:id`, 'read', 'internal_dcr_view', readClient],
  ['DELETE', `${REGISTER}/:id`, 'dcr-delete', 'internal_dcr_delete', unregister],
] as const

function register(state: State, { body }: Question): Answer {
  const { client_name: name, redirect_uris: uris, grant_types: grantTypes } = JSON.parse(body)
  if (typeof name !== 'string' || !/^[a-zA-Z0-9._-]+(?: [a-zA-Z0-9._-]+)*$/.test(name))
    return refuse(400, 'invalid_client_metadata', 'The client name is not valid')
  if (
    !Array.isArray(uris) ||
    uris.length === 0 ||
    uris.some((uri) => typeof uri !== 'string' || !/^(?:regexp=|https?:)/.test(uri))
  )
    return refuse(400, 'invalid_redirect_uri', `Invalid redirect URI: ${uris}`)
  if ([...state.applications.values()].some((application) => application.name.toLowerCase() === name.toLowerCase()))
    return refuse(400, 'invalid_client_metadata', `Application with the name ${name} already exist in the system`)
  const id = randomUUID()
  const credentials = { clientId: randomWord(), clientSecret: randomWord() }
  const oidc = { ...credentials, callbackURLs: uris, grantTypes: grantTypes ?? [], accessToken: { type: 'Default' as const } }
  state.applications.set(id, { id, name, description: '', oidc, authorized: new Map() })
  return {
    status: 201,
    body: {
      client_id: credentials.clientId,
      client_secret: credentials.clientSecret,
      client_secret_expires_at: 0,
      redirect_uris: uris,
      grant_types: oidc.grantTypes,
      client_name: name,
    },
  }
}

function readClient(state: State, { path }: Question): Answer {
  const application = findByClientId(state, path.split('/').at(-1) ?? '')
  if (application === undefined) return refuse(404, 'invalid_client', 'No such client')
  const { clientId, clientSecret, callbackURLs, grantTypes } = application.oidc
  const body = { client_id: clientId, client_secret: clientSecret, redirect_uris: callbackURLs, grant_types: grantTypes }
  return { status: 200, body: { ...body, client_name: application.name } }
}

function unregister(state: State, { path }: Question): Answer {
  const application = findByClientId(state, path.split('/').at(-1) ?? '')
  if (application === undefined) return refuse(404, 'invalid_client', 'No such client')
  state.applications.delete(application.id)
  return { status: 204 }
}
