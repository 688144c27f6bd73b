import { randomUUID } from 'node:crypto'
import { type Answer, type Application, findByClientId, type Oidc, type Question, randomWord, type State } from './state.ts'

const ROOT = '/api/server/v1'
/** What names of applications may consist of. */
const NAME = /^[a-zA-Z0-9._-]+(?: [a-zA-Z0-9._-]+)*$/

const refuse = (status: number, code: string, message: string, description = message): Answer => ({
  status,
  body: { code, message, description, traceId: randomUUID() },
})

/** The interfaces for applications and API resources. */
export const managementRoutes = [
  ['POST', `${ROOT}/applications`, 'create', 'internal_application_mgt_create', createApplication],
  ['GET', `${ROOT}/applications`, 'list', 'internal_application_mgt_view', listApplications],
  ['GET', `${ROOT}/applications/:id`, 'read', 'internal_application_mgt_view', readApplication],
  ['DELETE', `${ROOT}/applications/:id`, 'delete', 'internal_application_mgt_delete', deleteApplication],
  ['GET', `${ROOT}/applications/:id/inbound-protocols/oidc`, 'read', 'internal_application_mgt_view', readOidc],
  ['PUT', `${ROOT}/applications/:id/inbound-protocols/oidc`, 'update', 'internal_application_mgt_update', updateOidc],
  [
    'POST',
    `${ROOT}/applications/:id/inbound-protocols/oidc/regenerate-secret`,
    'regenerate',
    'internal_application_mgt_update',
    regenerateSecret,
  ],
  ['POST', `${ROOT}/applications/:id/authorized-apis`, 'authorize-api', 'internal_application_business_api_update', authorizeApi],
  ['GET', `${ROOT}/configs/dcr`, 'read', 'internal_config_view', readRegistrationPolicy],
  ['GET', `${ROOT}/api-resources`, 'resources', 'internal_api_resource_view', listResources],
] as const

function createApplication(state: State, { body }: Question): Answer {
  const draft = JSON.parse(body)
  const oidc = draft.inboundProtocolConfiguration?.oidc
  if (typeof draft.name !== 'string' || !NAME.test(draft.name))
    return refuse(400, 'APP-60509', 'Invalid request.', `The Application name: ${draft.name}, is not valid.`)
  if ([...state.applications.values()].some(({ name }) => name.toLowerCase() === draft.name.toLowerCase()))
    return refuse(409, 'APP-60007', 'Conflict detected.', `Application with name: ${draft.name} already exists.`)
  const problem = oidc && findProblem(state, oidc)
  if (problem !== undefined) return problem
  const id = randomUUID()
  state.applications.set(id, {
    id,
    name: draft.name,
    description: draft.description ?? '',
    oidc: oidc && { ...oidc, clientId: oidc.clientId ?? randomWord(), clientSecret: oidc.clientSecret ?? randomWord() },
    authorized: new Map(),
  })
  return { status: 201, headers: { location: `${state.base}${ROOT}/applications/${id}` } }
}

function findProblem(state: State, oidc: Oidc): Answer | undefined {
  if (!Array.isArray(oidc.grantTypes) || oidc.grantTypes.length === 0)
    return refuse(400, 'APP-60001', 'Invalid request.', 'grantTypes cannot be empty.')
  if (oidc.clientId !== undefined && findByClientId(state, oidc.clientId))
    return refuse(409, 'OAUTH-60002', 'Conflict detected.', 'The client id is used already.')
  if (!Array.isArray(oidc.callbackURLs) || oidc.callbackURLs.length !== 1)
    return refuse(400, 'APP-60001', 'Invalid request.', 'Multiple callbacks for OAuth2 are not supported.')
  return undefined
}

function listApplications(state: State, { url }: Question): Answer {
  const [, attribute, value] = /^(name|clientId) eq (\S+)$/.exec(url.searchParams.get('filter') ?? '') ?? []
  if (attribute === undefined) return refuse(400, 'APP-60004', 'Invalid filter.')
  const found = [...state.applications.values()].filter(
    ({ name, oidc }) =>
      (attribute === 'name' ? name.toLowerCase() : oidc?.clientId) === (attribute === 'name' ? value?.toLowerCase() : value),
  )
  const applications = found.map(({ id, name, description }) => ({ id, name, description, access: 'WRITE' }))
  return { status: 200, body: { totalResults: found.length, startIndex: 1, count: found.length, applications, links: [] } }
}

function find(state: State, { path }: Question): Application | undefined {
  return state.applications.get(path.split('/')[5] ?? '')
}

const NOT_FOUND = refuse(404, 'APP-60006', 'Resource not found.')

function readApplication(state: State, question: Question): Answer {
  const application = find(state, question)
  if (application === undefined) return NOT_FOUND
  const { id, name, description } = application
  return { status: 200, body: { id, name, description, isManagementApp: false, inboundProtocols: [{ type: 'oauth2' }] } }
}

function readRegistrationPolicy(state: State): Answer {
  return { status: 200, body: { authenticationRequired: state.options.openRegistration !== true, mandateSSA: false } }
}

function deleteApplication(state: State, question: Question): Answer {
  const application = find(state, question)
  if (application === undefined) return NOT_FOUND
  state.applications.delete(application.id)
  return { status: 204 }
}

function readOidc(state: State, question: Question): Answer {
  const oidc = find(state, question)?.oidc
  if (oidc === undefined) return NOT_FOUND
  return { status: 200, body: state.options.showsSecrets === false ? { ...oidc, clientSecret: null } : oidc }
}

function updateOidc(state: State, question: Question): Answer {
  const application = find(state, question)
  if (application?.oidc === undefined) return NOT_FOUND
  const update = JSON.parse(question.body)
  if (update.clientId !== application.oidc.clientId) return refuse(400, 'OAUTH-60001', 'The client id cannot be changed.')
  application.oidc = { ...update, clientSecret: update.clientSecret ?? application.oidc.clientSecret }
  return { status: 200 }
}

function regenerateSecret(state: State, question: Question): Answer {
  const application = find(state, question)
  if (application?.oidc === undefined) return NOT_FOUND
  application.oidc.clientSecret = randomWord()
  return { status: 200, body: application.oidc }
}

function authorizeApi(state: State, question: Question): Answer {
  const application = find(state, question)
  const { id, policyIdentifier, scopes } = JSON.parse(question.body)
  const resource = state.apiResources.find((candidate) => candidate.id === id)
  if (application === undefined || resource === undefined) return NOT_FOUND
  if (application.authorized.has(id)) return refuse(409, 'APP-60514', 'API is already authorized.')
  if (policyIdentifier !== 'RBAC') return refuse(400, 'APP-60517', 'Invalid policy.')
  if (!Array.isArray(scopes) || scopes.some((scope) => !resource.scopes.includes(scope)))
    return refuse(400, 'APP-60516', 'Invalid request.', 'The scope is not one of the API resource.')
  application.authorized.set(id, scopes)
  return { status: 200 }
}

function listResources(state: State, { url }: Question): Answer {
  const [, identifier] = /^identifier eq (\S+)$/.exec(url.searchParams.get('filter') ?? '') ?? []
  const apiResources = state.apiResources
    .filter((resource) => resource.identifier === identifier)
    .map(({ id, identifier: known }) => ({ id, name: 'API', identifier: known, type: 'BUSINESS', requiresAuthorization: true }))
  return { status: 200, body: { totalResults: apiResources.length, links: [], apiResources } }
}
