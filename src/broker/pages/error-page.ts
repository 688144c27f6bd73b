import { escapeHtml } from '../../core/html.ts'
import type { PageContent } from './page.ts'

/** An error page for the user. */
export interface ErrorContent {
  readonly title: string
  /** What happened and what to do, in a sentence or two. */
  readonly text: string
  /** Names the line of the log that has the details. */
  readonly requestId: string
  /** Reports the error to the application; undefined where that is not possible. */
  readonly backTo?: string | undefined
  /** Starts the sign-in again, for example with another account. */
  readonly again?: { readonly url: string; readonly label: string } | undefined
}

/** Renders an error page. It shows nothing that came with the request. */
export function renderErrorPage({ title, text, requestId, backTo, again }: ErrorContent): PageContent {
  const links = [
    again && `<p><a class="main" href="${escapeHtml(again.url)}">${escapeHtml(again.label)}</a></p>`,
    backTo !== undefined && `<p><a href="${escapeHtml(backTo)}">Go back to the application</a></p>`,
  ]
  return {
    title,
    content: `<h1>${escapeHtml(title)}</h1>
<p role="alert">${escapeHtml(text)}</p>
${links.filter(Boolean).join('\n') || '<p>Go back to the application and start again.</p>'}
<p class="quiet">If you contact support, include this request id: <code>${escapeHtml(requestId)}</code></p>`,
  }
}
