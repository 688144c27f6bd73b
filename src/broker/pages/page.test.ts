import { describe, expect, it } from 'vitest'
import { renderPage } from './page.ts'

const PLAIN = { title: 'Title', content: '<h1>Title</h1>' }
const LOGO = 'data:image/png;base64,iVBORw0KGgo='

describe('a page', () => {
  it('begins with logo and name of the company where it has them', () => {
    const { html } = renderPage(PLAIN, { company: 'Example Inc.', logo: LOGO, favicon: undefined })
    expect(html).toContain(`<main><div class="brand"><img src="${LOGO}" alt=""><span>Example Inc.</span></div><h1>`)
  })

  it.each([
    ['the name alone', { company: 'Example Inc.', logo: undefined }, '<div class="brand"><span>Example Inc.</span></div>'],
    ['the logo alone', { company: undefined, logo: LOGO }, `<div class="brand"><img src="${LOGO}" alt=""></div>`],
    ['neither', { company: undefined, logo: undefined }, ''],
  ])('has no room for what it lacks: %s', (_what, brand, shown) => {
    expect(renderPage(PLAIN, { ...brand, favicon: undefined }).html).toContain(`<main>${shown}<h1>`)
  })

  it('shows the name of the company as text', () => {
    const { html } = renderPage(PLAIN, { company: `<b onclick='a'>"&`, logo: undefined, favicon: undefined })
    expect(html).toContain('<span>&#60;b onclick=&#39;a&#39;&#62;&#34;&#38;</span>')
  })

  it('has an icon of its own, so that browsers ask for none, or that of the company', () => {
    expect(renderPage(PLAIN).html).toMatch(/<link rel="icon" href="data:image\/svg\+xml;base64,[\w+/=]+">/)
    expect(renderPage(PLAIN, { company: undefined, logo: undefined, favicon: LOGO }).html).toContain(
      `<link rel="icon" href="${LOGO}">`,
    )
  })

  it('takes images from itself alone, with a brand, too', () => {
    for (const brand of [undefined, { company: 'Example Inc.', logo: LOGO, favicon: LOGO }]) {
      const policy = renderPage(PLAIN, brand).headers['Content-Security-Policy']
      expect(policy).toMatch(
        /^default-src 'none'; style-src 'sha256-[\w+/=]+'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/,
      )
    }
  })
})
