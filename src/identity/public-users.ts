/** Providers where anyone can create an account: the host or its ending, and who that lets in. */
const PUBLIC: readonly (readonly [host: RegExp, users: string])[] = [
  [/^accounts\.google\.com$/, 'everybody with a Google account'],
  [/^github\.com$/, 'everybody with a GitHub account'],
  [/^gitlab\.com$/, 'everybody with a GitLab account'],
  [/^(?:appleid|account)\.apple\.com$/, 'everybody with an Apple account'],
  [/^login\.live\.com$/, 'everybody with a Microsoft account'],
  [/^(?:www\.)?linkedin\.com$/, 'everybody with a LinkedIn account'],
  [/^(?:www\.|m\.|limited\.)?facebook\.com$/, 'everybody with a Facebook account'],
  [/^(?:slack|discord|bitbucket|gitea|codeberg)\.(?:com|org)$/, 'everybody with an account there'],
  [/^(?:id\.twitch\.tv|huggingface\.co|auth\.atlassian\.com|twitter\.com|x\.com)$/, 'everybody with an account there'],
  [/\.auth0\.com$/, 'everybody who signs up at that tenant (Auth0 lets everybody, unless sign-ups are disabled there)'],
  [
    /^cognito-idp\.|\.amazoncognito\.com$/,
    'everybody who signs up at that user pool (Cognito lets everybody, unless self-registration is off there)',
  ],
]

const MICROSOFT =
  /^(?:login\.microsoftonline\.(?:com|us)|login\.partner\.microsoftonline\.cn|sts\.windows\.net|login\.windows\.net)$/

/** Whether a host is one of Microsoft's for signing users in. */
export function isMicrosoft(host: string): boolean {
  return MICROSOFT.test(host)
}

/** In the place of a tenant: the users of all organizations, of none, or both; and the id that stands for users of none in tokens. */
const MANY_TENANTS = /^\/(?:common|organizations|consumers|\{tenantid\}|9188040d-6c67-4c5b-b112-36a304b66dad)(?:\/|$)/i

/**
 * Who can create an account at a provider without approval.
 *
 * @param url - issuer, or authorization endpoint
 * @returns for people; undefined where it is not known to be open
 */
export function findPublicUsers(url: string): string | undefined {
  const target = URL.parse(url)
  if (target === null) return undefined
  const host = target.hostname.replace(/\.$/, '')
  if (isOfManyTenants(url)) return 'everybody with a Microsoft account'
  return PUBLIC.find(([pattern]) => pattern.test(host))?.[1]
}

/** Whether a URL is one of Microsoft's for users of any organization, or of none. */
export function isOfManyTenants(url: string): boolean {
  const target = URL.parse(url)
  return target !== null && isMicrosoft(target.hostname.replace(/\.$/, '')) && MANY_TENANTS.test(decodePath(target))
}

function decodePath({ pathname }: URL): string {
  return pathname.replace(/%7b/gi, '{').replace(/%7d/gi, '}')
}

/** Domains where anyone can get an address. */
const PUBLIC_MAIL =
  /^(?:(?:gmail|googlemail|outlook|hotmail|live|msn|icloud|me|mac|aol|yahoo|ymail|gmx|mail|protonmail|proton|zoho|yandex|qq|163|126|web|t-online|naver|fastmail|tutanota|hey)\.(?:com|net|de|me|ru|fr|it|es|in|at|ch|jp)|yahoo\.co\.(?:uk|jp|in)|hotmail\.co\.uk)$/i

/** Whether anyone can get an email address of a domain; only well-known domains are listed. */
export function isPublicMail(domain: string): boolean {
  return PUBLIC_MAIL.test(domain)
}
