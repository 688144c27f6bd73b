import type { Choice } from './providers.ts'

/** A provider that an issuer is of, and the answer to its question ("Which tenant?"). */
export interface RecognizedIssuer {
  readonly choice: Choice
  readonly answer: string
}

/** Issuers of vendors, as their metadata name them. The group is the answer to the question of the kind. */
const ISSUERS: readonly (readonly [choice: Choice, issuer: RegExp])[] = [
  ['google', /^https:\/\/accounts\.google\.com()\/?$/],
  [
    'entra',
    /^https:\/\/(?:login\.microsoftonline\.com|sts\.windows\.net)\/([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})(?:\/v2\.0)?\/?$/i,
  ],
  ['okta', /^https:\/\/([\w-]+\.(?:okta|oktapreview|okta-emea)\.com)\/?$/],
  ['auth0', /^https:\/\/([\w-]+(?:\.[\w-]+)*\.auth0\.com)\/?$/],
  ['keycloak', /^(https?:\/\/[^\s?#]+\/realms\/[^\s/?#]+)$/],
  ['cognito', /^https:\/\/cognito-idp\.[\w-]+\.amazonaws\.com\/([\w-]+)$/],
  ['asgardeo', /^https:\/\/api\.asgardeo\.io\/t\/([\w-]+)\/oauth2\/token$/],
]

/** Which provider an issuer is of; undefined where its URL does not tell. */
export function recognizeIssuer(issuer: string): RecognizedIssuer | undefined {
  for (const [choice, pattern] of ISSUERS) {
    const answer = pattern.exec(issuer)?.[1]
    if (answer !== undefined) return { choice, answer }
  }
  return undefined
}

/** Which flags to add to `--issuer URL` where there is no terminal to ask at. */
export function adviseOnProvider(issuer: string): string {
  const found = recognizeIssuer(issuer)
  const choice = found?.choice ?? 'oidc'
  return [
    `Add --provider ${choice} if the proxy is to sign users in there,`,
    `or --provider issuer if MCP clients can use ${JSON.stringify(issuer)} as their authorization server.`,
  ].join(' ')
}
