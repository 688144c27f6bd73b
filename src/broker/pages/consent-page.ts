import { escapeHtml } from '../../core/html.ts'
import { WHOLE_SERVER_SCOPE } from '../clients/resources.ts'
import { formatForeignName, formatFormTarget, formatRedirectHost, isOnThisComputer, type PageContent } from './page.ts'

/** The client that asks for access. Everything but the redirect URI is its own claim. */
export interface Asking {
  readonly clientName: string
  readonly redirectUri: string
  /** Host that publishes the client's metadata: what its name is worth. Undefined for clients that registered themselves. */
  readonly publishedBy: string | undefined
}

/** A permission, in words for the user who is asked to grant it. */
export interface AskedScope {
  readonly name: string
  readonly description: string
}

/** What a user is asked. */
export interface Question {
  readonly asking: Asking
  /** The MCP server that is to be used. */
  readonly server: { readonly name: string; readonly url: string }
  readonly scopes: readonly AskedScope[]
  /** Scopes that the user may not have, and so cannot grant; empty before the sign-in. */
  readonly refused: readonly AskedScope[]
  /** Name of the signed-in user; undefined before the sign-in. */
  readonly signedInAs: string | undefined
  readonly identityProvider: string
  /** Shows that the form was filled in on this page. */
  readonly formToken: string
}

/** Asks for consent, before the user is sent to the identity provider. */
export function renderConsentPage(question: Question): PageContent {
  const { asking, server, signedInAs } = question
  const name = escapeHtml(formatForeignName(asking.clientName) || 'An application with no name')
  return {
    title: 'Allow access?',
    formTarget: formatFormTarget(asking.redirectUri),
    content: `<h1>Allow ${name} to act on your behalf?</h1>
<p>It requests access to <strong>${escapeHtml(server.name)}</strong> (<code>${escapeHtml(server.url)}</code>), with these permissions:</p>
${renderScopes(question.scopes)}
${renderRefused(question.refused)}<p>You will be redirected to <strong>${escapeHtml(formatRedirectHost(asking.redirectUri))}</strong>.</p>
${renderOrigin(asking, name)}
<form method="post">
<input type="hidden" name="form_token" value="${escapeHtml(question.formToken)}">
<button class="main" name="action" value="allow">${signedInAs === undefined ? `Allow and sign in with ${escapeHtml(question.identityProvider)}` : 'Allow'}</button>
<button name="action" value="cancel">Deny</button>
${signedInAs === undefined ? '' : `<p class="quiet">Signed in as ${escapeHtml(formatForeignName(signedInAs))}. <button class="link" name="action" value="switch">Use another account</button></p>`}
</form>`,
  }
}

/** Time to read which permissions were not granted. */
const READING_SECONDS = 5

/** Lists the scopes that were not granted because the account does not have them, which is known only after the sign-in. */
export function renderPartialPage(clientName: string, refused: readonly AskedScope[], target: string): PageContent {
  const name = escapeHtml(formatForeignName(clientName) || 'the application')
  return {
    title: 'You are signed in',
    goOn: target,
    goOnSeconds: READING_SECONDS,
    content: `<h1>You are signed in</h1>
<p>Your account does not have these permissions, so they were not granted to ${name}:</p>
${renderScopes(refused)}
<p><a class="main" href="${escapeHtml(target)}">Continue to the application</a></p>`,
  }
}

/** A permission in words, where the configuration has some. */
export function describeScope(name: string, descriptions: Readonly<Record<string, string>>): AskedScope {
  const usual =
    name === WHOLE_SERVER_SCOPE
      ? 'Use its tools, resources and prompts on your behalf'
      : 'Use the permission that the server calls'
  return { name, description: (Object.hasOwn(descriptions, name) ? descriptions[name] : undefined) ?? usual }
}

/** How far the name of a client can be trusted, and what to check. */
function renderOrigin(asking: Asking, name: string): string {
  const origin =
    asking.publishedBy === undefined
      ? `“${name}” is the name that the application gave itself.`
      : `The name is published by <strong>${escapeHtml(asking.publishedBy)}</strong>.`
  if (!isOnThisComputer(asking.redirectUri)) return `<p class="quiet">${origin} Continue only if you trust it.</p>`
  return `<p class="warn"><strong>This application runs on your computer.</strong> ${origin} Any program could use this name. Continue only if you started this yourself just now.</p>`
}

function renderRefused(scopes: readonly AskedScope[]): string {
  if (scopes.length === 0) return ''
  return `<p>It also requested these permissions, which your account does not have. They will not be granted:</p>\n${renderScopes(scopes)}\n`
}

function renderScopes(scopes: readonly AskedScope[]): string {
  const items = scopes.map(
    ({ name, description }) => `<li>${escapeHtml(description)} <code class="quiet">${escapeHtml(name)}</code></li>`,
  )
  return `<ul>${items.join('')}</ul>`
}
