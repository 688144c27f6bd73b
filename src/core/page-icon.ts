const SHIELD =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#1257a8" d="M8 .5 14 3v5c0 3.6-2.4 6.4-6 7.5C4.4 14.4 2 11.6 2 8V3z"/><path fill="none" stroke="#fff" stroke-width="1.8" d="m5 8 2.2 2.2L11.2 6"/></svg>'

/** The icon of our pages, as a `data:` URI: without one, browsers ask for `/favicon.ico` and leave a 404 in the log. */
export const PAGE_ICON = `data:image/svg+xml;base64,${btoa(SHIELD)}`
