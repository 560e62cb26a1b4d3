import Testing

@testable import Bitrix24

@Suite struct ApplicationTokenTests {
    /// NIST's examples for SHA-256 (FIPS 180-4): the empty message, one block, two blocks, a million letters.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (String(repeating: "a", count: 1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ])
    func isTheSHA256OfTheToken(token: String, hexadecimal: String) {
        #expect(String(decoding: TokenDigest(token: Array(token.utf8)).hexadecimal, as: UTF8.self) == hexadecimal)
        // The same without contiguous storage.
        #expect(
            String(decoding: TokenDigest(token: token.utf8.lazy.map { $0 }).hexadecimal, as: UTF8.self) == hexadecimal
        )
    }

    @Test func equalTokensOnlyHaveEqualDigests() {
        let digest = TokenDigest(token: Sample.token.utf8)
        #expect(digest == TokenDigest(token: Sample.token.utf8))
        #expect(digest.mask(equalTo: digest) == .max)
        for index in 0..<32 {
            var other = Array(Sample.token.utf8)
            other[index] ^= 1
            #expect(digest != TokenDigest(token: other))
            #expect(digest.mask(equalTo: TokenDigest(token: other)) == 0)
        }
        #expect(TokenDigest.random() != TokenDigest.random())
    }
}
