import { escapeHtml } from '../../core/html.ts'
import type { PageContent } from './page.ts'

/** What went wrong, for the person in front of the browser. */
export interface ErrorContent {
  readonly title: string
  /** What happened and what to do, in a sentence or two. */
  readonly text: string
  /** Names the line of the log that has the details. */
  readonly traceId: string
  /** Where the application that asked is told; undefined when it cannot be. */
  readonly backTo?: string | undefined
  /** Begins the sign-in anew, with another account for example. */
  readonly again?: { readonly url: string; readonly label: string } | undefined
}

/** Says what went wrong. Nothing that came with the request stands on the page. */
export function renderErrorPage({ title, text, traceId, backTo, again }: ErrorContent): PageContent {
  const links = [
    again && `<p><a class="main" href="${escapeHtml(again.url)}">${escapeHtml(again.label)}</a></p>`,
    backTo !== undefined && `<p><a href="${escapeHtml(backTo)}">Go back to the application</a></p>`,
  ]
  return {
    title,
    content: `<h1>${escapeHtml(title)}</h1>
<p role="alert">${escapeHtml(text)}</p>
${links.filter(Boolean).join('\n') || '<p>Go back to the application and start again.</p>'}
<p class="quiet">If you contact support, include this trace id: <code>${escapeHtml(traceId)}</code></p>`,
  }
}
