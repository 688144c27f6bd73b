import type { IdentityProviderKind } from '../../core/plan/identity-provider-plan.ts'

/** `issuer`: an authorization server that MCP clients use themselves, without the broker. */
export type Choice = IdentityProviderKind | 'issuer'

/** What to ask and to say about a kind of identity provider. */
export interface ProviderChoice {
  readonly choice: Choice
  readonly name: string
  /** The third question. */
  readonly question: string
  /** The answer, where there need not be one. */
  readonly otherwise: string | undefined
  /** Members of `identity_provider`, or undefined for an answer that cannot be. */
  readonly parse: (answer: string) => Readonly<Record<string, unknown>> | undefined
  /** What to make at the provider. */
  readonly register: (callback: string) => readonly string[]
}

const one = (key: string, pattern: RegExp) => (answer: string) => (pattern.test(answer) ? { [key]: answer } : undefined)
const HOST = /^[\w-]+(?:\.[\w-]+)+$/
const URL_TEXT = /^https?:\/\/[^\s?#]+$/
const SECRET = 'Copy its client id and client secret.'

/** In the order in which people are offered them. */
export const PROVIDER_CHOICES: readonly ProviderChoice[] = [
  {
    choice: 'google',
    name: 'Google',
    question: 'Which Google Workspace domain may sign in, like example.com? Empty: no domain; you name people next.',
    otherwise: '',
    parse: (answer) => (answer === '' ? {} : one('domain', HOST)(answer)),
    register: (callback) => [
      'console.cloud.google.com, APIs & Services, Credentials, Create credentials, OAuth client ID: type Web application,',
      `with the authorized redirect URI ${callback}. ${SECRET}`,
    ],
  },
  {
    choice: 'github',
    name: 'GitHub',
    question: 'Members of which GitHub organization may sign in? Empty: no organization; you name people next.',
    otherwise: '',
    parse: (answer) => (answer === '' ? {} : one('organization', /^[\w-]+$/)(answer)),
    register: (callback) => [
      `github.com, Settings, Developer settings, OAuth Apps, New: the authorization callback URL is ${callback}.`,
      'Generate a client secret, and copy both.',
    ],
  },
  {
    choice: 'entra',
    name: 'Microsoft Entra ID',
    question: 'What is the Directory (tenant) ID?',
    otherwise: undefined,
    parse: one('tenant', /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i),
    register: (callback) => [
      `entra.microsoft.com, App registrations, New registration: platform Web, redirect URI ${callback}.`,
      'Under Certificates & secrets make a client secret, and copy its value and the Application (client) ID.',
    ],
  },
  {
    choice: 'okta',
    name: 'Okta',
    question: 'What is the domain of your Okta organization, like example.okta.com?',
    otherwise: undefined,
    parse: one('domain', HOST),
    register: (callback) => [
      'Admin console, Applications, Create App Integration: OIDC, Web Application, grant types Authorization Code and Refresh Token,',
      `sign-in redirect URI ${callback}. Assign the people, and copy client id and secret.`,
    ],
  },
  {
    choice: 'auth0',
    name: 'Auth0',
    question: 'What is the domain of your Auth0 tenant, like example.eu.auth0.com?',
    otherwise: undefined,
    parse: one('domain', HOST),
    register: (callback) => [
      `manage.auth0.com, Applications, Create: Regular Web Application, Allowed Callback URL ${callback}.`,
      `Under Advanced Settings, Grant Types, switch Refresh Token on. ${SECRET}`,
    ],
  },
  {
    choice: 'keycloak',
    name: 'Keycloak',
    question: 'What is the URL of the realm, like https://sso.example.com/realms/main?',
    otherwise: undefined,
    parse(answer) {
      const [, base_url, realm] = /^(https?:\/\/[^\s?#]+)\/realms\/([^\s/?#]+)\/?$/.exec(answer) ?? []
      return base_url === undefined ? undefined : { base_url, realm }
    },
    register: (callback) => [
      `Admin console, Clients, Create client: OpenID Connect, Client authentication on, Standard flow, valid redirect URI ${callback}.`,
      'Copy its id, and the secret of the tab Credentials.',
    ],
  },
  {
    choice: 'cognito',
    name: 'Amazon Cognito',
    question: 'What is the id of the user pool, like eu-west-1_AbCdEf123?',
    otherwise: undefined,
    parse: one('user_pool', /^[a-z]{2}(?:-[a-z]+)+-\d_\w+$/),
    register: (callback) => [
      'AWS console, Cognito, the user pool, App clients, Create: Traditional web application (with a client secret),',
      `Allowed callback URL ${callback}, grant Authorization code, scopes openid and email. ${SECRET}`,
    ],
  },
  {
    choice: 'asgardeo',
    name: 'Asgardeo',
    question: 'What is the name of your Asgardeo organization?',
    otherwise: undefined,
    parse: one('organization', /^[\w-]+$/),
    register: (callback) => [
      `console.asgardeo.io, Applications, New: Traditional Web Application, OpenID Connect, authorized redirect URL ${callback}.`,
      `Switch the grants Code and Refresh Token on. ${SECRET}`,
    ],
  },
  {
    choice: 'oidc',
    name: 'another one with OpenID Connect',
    question: 'What is its issuer, like https://idp.example.com, letter by letter as in its metadata?',
    otherwise: undefined,
    parse: one('issuer', URL_TEXT),
    register: (callback) => [
      `Make a confidential web client with the authorization code grant and the redirect URI ${callback}.`,
      SECRET,
    ],
  },
  {
    choice: 'oauth',
    name: 'another one with OAuth, without OpenID Connect',
    question: 'What are its authorization, token and userinfo endpoints? Three URLs with blanks between.',
    otherwise: undefined,
    parse(answer) {
      const urls = answer.split(/\s+/)
      if (urls.length !== 3 || !urls.every((url) => URL_TEXT.test(url))) return undefined
      const [authorization_endpoint, token_endpoint, userinfo_endpoint] = urls
      return { oauth: { authorization_endpoint, token_endpoint, userinfo_endpoint } }
    },
    register: (callback) => [`Make a confidential web client with the redirect URI ${callback}.`, SECRET],
  },
  {
    choice: 'issuer',
    name: 'an authorization server that MCP clients can use themselves',
    question: 'What is its issuer, letter by letter as in its metadata?',
    otherwise: undefined,
    parse: one('issuer', URL_TEXT),
    register: () => [],
  },
]
