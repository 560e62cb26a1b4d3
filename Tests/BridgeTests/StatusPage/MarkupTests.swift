import Testing

@testable import Bridge

@Suite struct MarkupTests {
    @Test func `values are escaped, markup is not`() {
        let value = "<a href='x' title=\"y\">&amp;</a>"
        let inner: Markup = "<b>\(value)</b>"
        let escaped = "&lt;a href=&#39;x&#39; title=&quot;y&quot;&gt;&amp;amp;&lt;/a&gt;"
        #expect(inner.text == "<b>\(escaped)</b>")
        let outer: Markup = "<p title=\"\(value)\">\(inner)\([inner, inner])\(nil as Markup?)\(7)</p>"
        #expect(outer.text == "<p title=\"\(escaped)\"><b>\(escaped)</b><b>\(escaped)</b><b>\(escaped)</b>7</p>")
    }

    /// With a combining mark they are another character to Swift, and the same to a browser.
    @Test(arguments: [("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;"), ("'", "&#39;"), ("&", "&amp;")])
    func `nothing hides behind an accent`(character: String, escaped: String) {
        let markup: Markup = "\(character + "\u{301}\u{FE0F}\u{200D}")"
        #expect(markup.text == escaped + "\u{301}\u{FE0F}\u{200D}")
    }

    @Test func `what cannot be seen can turn nothing around`() {
        for scalar in "\u{0}\u{7}\u{1B}\u{85}\u{61C}\u{200E}\u{200F}\u{202A}\u{202E}\u{2066}\u{2069}".unicodeScalars {
            let markup: Markup = "\("a\(scalar)b")"
            #expect(markup.text == "a\u{FFFD}b", "\(scalar.value)")
        }
        let lines: Markup = "\("a\r\n\tb")"
        #expect(lines.text == "a   b")
        let words: Markup = "\("портал.example, פורטל, 门户 🙂")"
        #expect(words.text == "портал.example, פורטל, 门户 🙂")
    }
}
