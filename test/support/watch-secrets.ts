import { rememberSecret } from './secrets-in-use.ts'

/** What is a secret in token requests and answers of authorization servers (RFC 6749, 7521, 7591, 7636, 8693). */
const NAMES: ReadonlySet<string> = new Set([
  ...['access_token', 'refresh_token', 'id_token', 'client_secret', 'code', 'code_verifier'],
  ...['assertion', 'client_assertion', 'subject_token', 'token', 'password'],
])

/** Has what clients of the tests send and get remembered, so that outputs of the proxy can be searched for it. */
const send = globalThis.fetch
globalThis.fetch = async (input, init) => {
  if (init?.body instanceof URLSearchParams) rememberMembers(init.body)
  else if (typeof init?.body === 'string' && init.body.includes('grant_type=')) rememberMembers(new URLSearchParams(init.body))
  const response = await send(input, init)
  rememberMembers(findLocationParameters(response))
  if (isWholeDocument(response)) rememberAnswer(response.clone())
  return response
}

/** Of an answer whose end is not known, a copy would hold up a test that cancels the other one. */
function isWholeDocument({ headers, body }: Response): boolean {
  return body !== null && headers.has('content-length') && headers.get('content-type')?.startsWith('application/json') === true
}

function rememberMembers(members: Iterable<readonly [string, unknown]>): void {
  for (const [name, value] of members) if (NAMES.has(name) && typeof value === 'string') rememberSecret(value)
}

function findLocationParameters(response: Response): Iterable<readonly [string, string]> {
  const location = response.headers.get('location')
  return location !== null && URL.canParse(location) ? new URL(location).searchParams : []
}

/** An answer that breaks off is the test's own affair. */
function rememberAnswer(copy: Response): void {
  copy.json().then(
    (answer: unknown) => {
      if (typeof answer === 'object' && answer !== null) rememberMembers(Object.entries(answer))
    },
    () => undefined,
  )
}
