import { expect, it } from 'vitest'
import { parsePlace, parseProvider } from './answers.ts'
import { adviseOnProvider, recognizeIssuer } from './recognize-issuer.ts'

const TENANT = '01234567-89ab-cdef-0123-456789abcdef'

it.each([
  ['https://accounts.google.com', 'google', {}],
  [`https://login.microsoftonline.com/${TENANT}/v2.0`, 'entra', { tenant: TENANT }],
  [`https://sts.windows.net/${TENANT}/`, 'entra', { tenant: TENANT }],
  ['https://acme.okta.com', 'okta', { domain: 'acme.okta.com' }],
  ['https://acme.eu.auth0.com/', 'auth0', { domain: 'acme.eu.auth0.com' }],
  ['https://sso.example.com/realms/main', 'keycloak', { base_url: 'https://sso.example.com', realm: 'main' }],
  ['https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123', 'cognito', { user_pool: 'eu-west-1_AbCdEf123' }],
  ['https://api.asgardeo.io/t/acme/oauth2/token', 'asgardeo', { organization: 'acme' }],
])('the issuer %s is of %s, and answers the question of that kind', (issuer, choice, place) => {
  expect(recognizeIssuer(issuer)?.choice).toBe(choice)
  expect(parsePlace(issuer, parseProvider(choice))).toEqual(place)
  expect(adviseOnProvider(issuer)).toContain(`--provider ${choice} `)
})

it.each([
  'https://idp.example.com',
  // Another issuer than that of the organization: the kind has no place for it.
  'https://acme.okta.com/oauth2/default',
  'https://accounts.google.com.example.com',
  'https://example.com/acme.okta.com',
])('the issuer %s is of no provider that its URL tells', (issuer) => {
  expect(recognizeIssuer(issuer)).toBeUndefined()
  expect(adviseOnProvider(issuer)).toMatch(/--provider oidc .+--provider issuer /)
})
