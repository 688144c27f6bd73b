/** A person in front of a browser, played by the demo: opens pages, fills in forms, follows redirects. Nothing is skipped. */

/** More pages than any sign-in has. */
const MAX_PAGES = 24

/**
 * Signs in and consents at an authorization endpoint.
 *
 * @param authorizationUrl - the authorization request, as a client would open it in a browser
 * @param user - whose name and password are typed in
 * @param onPage - told the heading of each page that a person would see
 * @returns the redirect back to the client, with the code or the error in its query
 * @throws Error when a page comes up that has no form for this, with the page's words
 */
export async function signIn(
  authorizationUrl: string | URL,
  user: { readonly name: string; readonly password: string },
  onPage: (heading: string) => void = () => {},
): Promise<URL> {
  const redirectUri = new URL(authorizationUrl).searchParams.get('redirect_uri')
  if (redirectUri === null) throw new Error('the authorization request has no redirect_uri')
  const cookies = new Map<string, string>()
  let response = await open(authorizationUrl, cookies)
  for (let page = 0; page < MAX_PAGES; page++) {
    const location = response.headers.get('location')
    if (location === null) {
      response = await fillIn(response, user, cookies, onPage)
      const target = await findRefresh(response)
      if (target !== undefined) response = await open(target, cookies)
      continue
    }
    const target = new URL(location, response.url)
    if (target.href.split('?')[0] === new URL(redirectUri).href.split('?')[0]) return target
    response = await open(target, cookies)
    const next = await findRefresh(response)
    if (next !== undefined) response = await open(next, cookies)
  }
  throw new Error(`no end of pages after ${MAX_PAGES}`)
}

async function fillIn(
  response: Response,
  user: { readonly name: string; readonly password: string },
  cookies: Map<string, string>,
  onPage: (heading: string) => void,
): Promise<Response> {
  const html = await response.text()
  const heading = readText(/<h1>(.*?)<\/h1>/s.exec(html)?.[1] ?? html)
  if (!response.ok) throw new Error(`the authorization server answers ${response.status}: ${heading} ${readAlert(html)}`)
  onPage(heading)
  return open(response.url, cookies, new URLSearchParams(chooseForm(html, user, heading)))
}

function chooseForm(
  html: string,
  user: { readonly name: string; readonly password: string },
  heading: string,
): Record<string, string> {
  if (html.includes('name="password"')) return { name: user.name, password: user.password, action: 'sign-in' }
  const hidden = readHidden(html)
  if (html.includes('value="allow"')) return { ...hidden, action: 'allow' }
  if (html.includes('value="cancel"')) return { ...hidden, action: 'cancel' }
  throw new Error(`a page without a form: ${heading} ${readAlert(html)}`)
}

async function open(url: string | URL, cookies: Map<string, string>, form?: URLSearchParams): Promise<Response> {
  const response = await fetch(url, {
    redirect: 'manual',
    headers: { accept: 'text/html', cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    ...(form && { method: 'POST', body: form }),
  })
  for (const cookie of response.headers.getSetCookie()) {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
    if (value === '') cookies.delete(name)
    else cookies.set(name, value)
  }
  return response
}

/** What a form holds besides what a person sees. */
export function readHidden(html: string): Record<string, string> {
  const fields = html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)
  return Object.fromEntries([...fields].map(([, name = '', value = '']) => [name, readText(value)]))
}

/** Where a page leads on by itself. */
async function findRefresh(response: Response): Promise<string | undefined> {
  if (!response.ok || response.headers.get('location') !== null) return undefined
  const target = /<meta http-equiv="refresh" content="\d+;url=([^"]*)">/.exec(await response.clone().text())?.[1]
  return target === undefined ? undefined : readText(target)
}

function readAlert(html: string): string {
  return readText(/role="alert"[^>]*>(.*?)</s.exec(html)?.[1] ?? '')
}

function readText(html: string): string {
  return html
    .replace(/<[^>]*>/g, ' ')
    .replace(/&#(\d+);/g, (_match, code) => String.fromCharCode(Number(code)))
    .replace(/\s+/g, ' ')
    .trim()
}
