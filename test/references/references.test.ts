import { describe, expect, it } from 'vitest'
import type { TextType } from '../../src/references/file-name.js'
import { namesFile } from '../../src/references/file-name.js'
import { glanceFor } from '../../src/references/glance.js'
import { publicPlace } from '../../src/references/public-place.js'
import { referencesIn } from '../../src/references/references.js'
import { urlFinder } from '../../src/references/urls-in-text.js'

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: the texts are scripts
const publicUrl = 'https://cdn.example.com/static/'

/** The paths of files that a text names, and whether a glance would have it parsed. */
function pathsIn(type: TextType, text: string | Buffer, under = publicUrl) {
  const place = publicPlace(under)
  const { urls } = referencesIn(type, text.toString(), urlFinder(place))
  return {
    parsed: urls.filter(namesFile).flatMap((url) => place.pathOf(url) ?? []),
    // Whatever the parser finds, the glance has to find before.
    glanced: glanceFor(place, () => false)(Buffer.from(text)),
  }
}

describe('a URL', () => {
  it.each<[type: TextType, text: string, path?: string]>([
    ['page', '<img src="https://cdn.example.com/static/a.png">'],
    ['page', "<img src='//cdn.example.com/static/a.png'>"],
    ['page', '<img src=https://cdn.example.com/static/a.png>'],
    ['page', '<img src=" https://cdn.example.com/static/a.png ">'],
    ['page', '<a href="http://cdn.example.com/static/a.png?x=1&amp;y=2#top">'],
    ['page', '<meta content="https://cdn.example.com/static/a.png">'],
    ['page', '<img data-src="https:&#x2F;&#x2F;cdn.example.com&#x2F;static&#x2F;a.png">'],
    ['page', '<img src="https://cdn.example.com/static/a&amp;b.png">', 'a&b.png'],
    ['page', '<img src="https://cdn.example.com/static/my photo.png">', 'my photo.png'],
    ['page', '<img src="https://cdn.example.com/static/my%20photo.png">', 'my photo.png'],
    ['page', '<img src="https://cdn.example.com/static/100%25.png">', '100%.png'],
    ['page', '<img src="https://cdn.example.com/static/a%23b%2Fc.png">', 'a#b/c.png'],
    ['page', '<img src="https://cdn.example.com/static/a+b.png">', 'a+b.png'],
    ['page', `<img src="https://cdn.example.com/static/it's.png">`, "it's.png"],
    ['page', '<img src="https://cdn.example.com/static/a(1).png">', 'a(1).png'],
    ['page', '<img src="https://cdn.example.com/static/caf%C3%A9.png">', 'café.png'],
    ['page', '<img src="https://cdn.example.com/static/café.png">', 'café.png'],
    ['page', '<img src="https://cdn.example.com/static/x/../a.png">'],
    ['page', '<img srcset="https://cdn.example.com/static/a.png 2x, /b.png">'],
    ['page', '<img srcset="/b.png 1x,https://cdn.example.com/static/a.png">'],
    ['page', '<p style="background: url(https://cdn.example.com/static/a.png)">'],
    ['page', '<style>p { background: url("https://cdn.example.com/static/a.png") }</style>'],
    ['page', '<script>load("https://cdn.example.com/static/a.png")</script>'],
    ['page', '<script type="importmap">{"imports":{"a":"https://cdn.example.com/static/a.js"}}</script>', 'a.js'],
    ['page', '<script type="text/template"><img src="https://cdn.example.com/static/a.png"></script>'],
    ['svg', '<svg><image xlink:href="https://cdn.example.com/static/a.png"/></svg>'],
    ['svg', '<svg><style><![CDATA[p { fill: url(https://cdn.example.com/static/a.png) }]]></style></svg>'],
    ['stylesheet', 'a { background: url(https://cdn.example.com/static/a.png) }'],
    ['stylesheet', 'a { background: url( "https://cdn.example.com/static/a.png" ) }'],
    ['stylesheet', '@import "https://cdn.example.com/static/a.css";', 'a.css'],
    ['stylesheet', 'a { background: url(https://cdn.example.com/static/a\\(1\\).png) }', 'a(1).png'],
    ['stylesheet', 'a { background: url(https://cdn.example.com/static/a\\20 b.png) }', 'a b.png'],
    ['stylesheet', 'a { background: image-set("https://cdn.example.com/static/a.png" 1x) }'],
    ['script', 'load("https://cdn.example.com/static/a.png")'],
    ['script', 'load("https://cdn.example.com/static//a.png")', '/a.png'],
    ['script', 'x = `https://cdn.example.com/static/a.png`'],
    ['script', "x = {'a': 'https:\\/\\/cdn.example.com\\/static\\/a.png'}"],
    ['script', 'x = "https:\\u002F\\u002Fcdn.example.com\\u002Fstatic\\u002Fa.png"'],
    ['script', 'x = "https:\\x2f\\x2Fcdn.example.com\\x2fstatic\\x2fa.png"'],
    ['script', "x = 'https://cdn.example.com/static/it\\'s.png'", "it's.png"],
    ['script', 'x = "https://cdn.example.com/static/caf\\u00e9.png"', 'café.png'],
    ['script', 'JSON.parse(\'{"a":"https://cdn.example.com/static/a.png"}\')'],
    ['script', 'JSON.parse("{\\"a\\":\\"https:\\\\/\\\\/cdn.example.com\\\\/static\\\\/a.png\\"}")'],
    ['script', 'x.innerHTML = \'<img src="https://cdn.example.com/static/a.png">\' + y'],
    ['script', 'x = "a{background:url(https://cdn.example.com/static/a.png)}"'],
    ['script', 'x = `<img src="https://cdn.example.com/static/a.png" alt="${alt}">`'],
    ['script', 'x = "https://cdn.example.com/static/a.png 1x, /b.png 2x"'],
    ['script', 'x = "/b.png 1x, https://cdn.example.com/static/a.png 2x"'],
    ['script', 'x = "/image?url=https%3A%2F%2Fcdn.example.com%2Fstatic%2Fa.png&w=64"'],
    ['script', 'import("https://cdn.example.com/static/a.js")\n.then(x)', 'a.js'],
    ['json', '{"icons":[{"src":"https:\\/\\/cdn.example.com\\/static\\/a.png"}]}'],
  ])('in a %s: %s', (type, text, path = 'a.png') => {
    expect(pathsIn(type, text)).toEqual({ parsed: [path], glanced: true })
  })

  // VitePress, MDX, React, Vue.
  it.each<[type: TextType, text: string]>([
    [
      'script',
      `x = JSON.parse('{"frontmatter":{"head":[["meta",{"content":"https://cdn.example.com/static/a.png"}]]}}')`,
    ],
    ['script', 'n(\'<p>Use <code>src="x"</code>: <img src="https://cdn.example.com/static/a.png"></p>\',3)'],
    ['script', 'n("img",{src:"https://cdn.example.com/static/a.png",title:"x"})'],
    ['script', 'h("code",{style:{background:"url(https://cdn.example.com/static/a.png)"}},"a")'],
    ['script', 'n("p",{children:[n("img",{src:"https://cdn.example.com/static/a.png"})," and"]})'],
    ['script', 'n("p",{children:[load(["https://cdn.example.com/static/a.png"])]})'],
    ['script', 'n("div",{__html:\'<a href="https://cdn.example.com/static/a.png">\'})'],
    ['script', 'load("get", null, "https://cdn.example.com/static/a.png")'],
    ['script', 'x = `<p ${a} style="background:url(https://cdn.example.com/static/a.png)">`'],
    ['script', 'x = `<img ${a} src="https://cdn.example.com/static/a.png">`'],
    ['script', 'x = \'<img alt="\' + alt + \'" src="https://cdn.example.com/static/a.png">\''],
    ['script', 'x = \'<img alt="\' + alt + \'" src="https://cdn.example.com/static/a.png" class="\' + y + \'">\''],
    ['script', 'x = is ? text : "https://cdn.example.com/static/a.png"'],
    ['script', 'x = is ? o.title : "https://cdn.example.com/static/a.png"'],
    ['page', '<div data-bg="url(\'https://cdn.example.com/static/a.png\')">'],
    ['json', '{"a":"url(\\"https://cdn.example.com/static/a.png\\")"}'],
    ['script', 'x = "<style>a{background:url(https://cdn.example.com/static/a.png)}</style>"'],
    ['page', '<img onerror="this.src = \'https://cdn.example.com/static/a.png\'">'],
    ['page', '<img :src="\'https://cdn.example.com/static/a.png\'">'],
    ['page', '<div data-props="{&quot;a&quot;:&quot;https://cdn.example.com/static/a.png&quot;}"></div>'],
    ['page', '<iframe srcdoc="<img src=\'https://cdn.example.com/static/a.png\'>"></iframe>'],
    ['json', '\ufeff{"a":[{"b":"{\\"c\\":\\"https://cdn.example.com/static/a.png\\"}"}]}'],
    ['json', '{"a":"https://cdn.example.com/static/a.png 1x, /b.png 2x"}'],
  ])('among code samples in a %s: %s', (type, text) => {
    expect(pathsIn(type, text)).toEqual({ parsed: ['a.png'], glanced: true })
  })

  it.each([
    'https://cdn.example.com/static/app/',
    'https://cdn.example.com/',
    'http://localhost:9000/bucket/static/',
    'https://s3.eu-central-1.amazonaws.com/my.bucket/a.b~c/',
    'http://[::1]:9000/bucket/',
    'https://CDN.Example.com/static/',
  ])('under %s, with and without its protocol', (under) => {
    for (const url of [under, under.replace(/^https?:/, ''), under.replaceAll('/', '\\/')]) {
      expect(pathsIn('script', `x = "${url}a.png"`, under), url).toEqual({ parsed: ['a.png'], glanced: true })
    }
  })
})

describe('a list of URLs', () => {
  const one = 'https://cdn.example.com/static/a.png'
  const two = '//cdn.example.com/static/b.png?x=1'

  it.each<[type: TextType, text: string, paths?: string[]]>([
    ['page', `<div data-images="${one},${two}">`],
    ['page', `<div data-images="${one};https:${two}">`],
    ['page', `<a href="${one}, ${two}">`],
    ['script', `x = '${one},https:${two}'`],
    ['script', `x = '["${one},https:${two}"]'`],
    ['script', `x = '{"a":"${one},https:${two}"}'.replaceAll("\n", "")`],
    ['json', `{"images":"${one.replaceAll('/', '\\/')},https:${two}"}`],
    ['page', `<div data-images="${one},https://other.example.com/b.png">`, ['a.png']],
    ['page', `<img src="${one}?next=https://other.example.com/b.png">`, ['a.png']],
    ['page', `<img src="https://cdn.example.com/static/a,b.png">`, ['a,b.png']],
    ['page', `<img src="https://cdn.example.com/static/${one}">`, [one]],
  ])('in a %s: %s', (type, text, paths = ['a.png', 'b.png']) => {
    expect(pathsIn(type, text)).toEqual({ parsed: paths, glanced: true })
  })
})

// As VitePress 1, MDX 3 (Docusaurus) and Vue compile them.
describe('a code sample names no file', () => {
  const tag = '<img src="https://cdn.example.com/static/a.png" srcset="https://cdn.example.com/static/b.png 2x">'
  const escaped = tag.replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  const quotedToo = escaped.replaceAll('"', '&quot;')
  const other = [
    'background: url(https://cdn.example.com/static/a.png)',
    '{ "icons": [{ "src": "https://cdn.example.com/static/a.png" }] }',
    "load(['https://cdn.example.com/static/a.png'], { a: 'https://cdn.example.com/static/b.png' })",
    'https://cdn.example.com/static/a.png',
    'srcset="https://cdn.example.com/static/a.png 2x, https://cdn.example.com/static/b.png 1x"',
  ]
  const literal = (text: string) => JSON.stringify(text)

  it.each([tag, escaped, quotedToo, ...other])('%s', (sample) => {
    const html = `<div class="language-html"><pre class="shiki"><code><span class="line"><span>${sample === tag ? escaped : sample}</span></span></code></pre></div>`
    const data = JSON.stringify({ title: `Use ${sample}`, headers: [{ title: `${sample} here` }], html })
    const scripts = [
      `n(${literal(html)},11)`,
      `n(${literal(`<p>Use <code>${sample === tag ? escaped : sample}</code></p>`)},1)`,
      `x = JSON.parse(${literal(data)})`,
      `n(c.pre,{children:n(c.code,{className:"language-html",children:${literal(sample)}})})`,
      `t(c.p,{children:["Use ",n(c.code,{children:"x"}),${literal(` ${sample}`)}]})`,
      `t(c.p,{children:\`\n\${n(c.code)}${sample}\`})`,
      `h("code",null,${literal(sample)},-1)`,
      `h("p",{class:"a,b",id:f(1,2)},[i("Use "),h("code",{},${literal(sample)})])`,
      `r.createElement(c.code,null,"Use ",${literal(sample)})`,
      `o.textContent=${literal(sample)}`,
      `Box({title:${literal(sample)}})`,
    ]
    for (const script of scripts) expect(pathsIn('script', script).parsed, script).toEqual([])
    for (const text of [`[{"t":${literal(`Use ${sample} here`)}}]`, data])
      expect(pathsIn('json', text).parsed).toEqual([])
    const page = `<meta content='Use ${sample}'>${html}<button data-code='${sample}\nx'></button><script type="application/json">${data}</script>`
    expect(pathsIn('page', page).parsed).toEqual([])
  })
})

describe('no URL of a file', () => {
  it.each<[type: TextType, text: string]>([
    ['script', 'x = "https://cdn.example.com/static/" + name'],
    ['script', 'x = "https://cdn.example.com/static/a.png" + query'],
    ['script', 'x = "https://cdn.example.com/static/a.png".replace("a", b)'],
    ['script', 'x = `https://cdn.example.com/static/${name}.png`'],
    ['script', 'x = `https://cdn.example.com/static/a.png${query}`'],
    ['script', 'x = `${"https://cdn.example.com/static/a.png"}?${query}`'],
    ['script', 'x = "https://cdn.example.com/static/icons/"'],
    ['script', 'x = "https://cdn.example.com/static/icons"'],
    ['script', 'x = "https://cdn.example.com/static/tags/node.js/"'],
    ['script', 'x = "https://cdn.example.com/static/tags/node.js/?page=2"'],
    ['script', 'x = "https://cdn.example.com/static/pdf.worker.min"'],
    ['script', 'x = "https://cdn.example.com/static/{lang}.json"'],
    ['script', 'x = "https://cdn.example.com/static/%s.json"'],
    ['script', 'x = "https://cdn.example.com/static/*.json"'],
    ['script', 'x = "https://cdn.example.com/static/:lang.json"'],
    ['script', 'x = "https://cdn.example.com/static/locales/__lng__/__ns__.json"'],
    ['script', 'x = "https://cdn.example.com/static/[name].json"'],
    ['script', 'x = "<img src=https://cdn.example.com/static/photo-" + n'],
    ['script', 'x = /"https:\\/\\/cdn.example.com\\/static\\/a.png"/'],
    ['script', 'x = new RegExp("^https://cdn.example.com/static/.*\\\\.png$")'],
    ['script', '// "https://cdn.example.com/static/a.png"\n'],
    ['script', '/*! see "https://cdn.example.com/static/a.png". */'],
    ['script', 'x = "image/*"; /* "https://cdn.example.com/static/a.png" */ y = "*/"'],
    ['script', '//# sourceMappingURL=https://cdn.example.com/static/a.js.map'],
    ['script', 'x = "See https://cdn.example.com/static/a.png."'],
    ['script', 'x = "see \\"https://cdn.example.com/static/a.png\\", please"'],
    ['script', 'x = "https://cdn.example.com/static/a.png is a picture"'],
    ['script', 'x = "https://other.cdn.example.com/static/a.png"'],
    ['script', 'x = "https://cdn.example.com/static-admin/a.png"'],
    ['script', 'x = "https://cdn.example.com/media/a.png"'],
    ['script', 'x = "https://cdn.example.com:8443/static/a.png"'],
    ['script', 'x = "https://cdn.example.com.evil.com/static/a.png"'],
    ['script', 'x = "https://cdn.example.com/static/../a.png"'],
    ['page', '<p>https://cdn.example.com/static/a.png</p>'],
    ['page', '<!-- <img src="https://cdn.example.com/static/a.png"> -->'],
    ['page', '<script>// "https://cdn.example.com/static/a.png"</script>'],
    ['page', '<script type="x-shader">"https://cdn.example.com/static/a.png" is text</script>'],
    ['page', '<link rel="preconnect" href="https://cdn.example.com/static/">'],
    ['page', '<img src="https://cdn.example.com/static/{{ name }}.png">'],
    ['page', '<img alt="Find it at https://cdn.example.com/static/a.png">'],
    ['stylesheet', '/* url(https://cdn.example.com/static/a.png) */'],
    ['json', '{"text":"See https://cdn.example.com/static/a.png, please."}'],
  ])('in a %s: %s', (type, text) => {
    expect(pathsIn(type, text).parsed).toEqual([])
  })
})
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: the texts are scripts
