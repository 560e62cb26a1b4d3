import Testing

@testable import Bitrix24

@Suite struct SecretNamesTests {
    private func contains(_ name: String) -> Bool { SecretNames.contains(Array(name.utf8)[...]) }

    @Test func hasTheNamesUnderWhichBitrix24SendsSecrets() {
        #expect(
            SecretNames.all.sorted() == [
                "access_token", "application_token", "auth_id", "client_secret", "event_token", "jwt", "password",
                "refresh_id", "refresh_token", "signature", "token",
            ]
        )
    }

    @Test(arguments: SecretNames.all)
    func knowsANameInAnyCase(name: String) {
        #expect(contains(name))
        #expect(contains(name.uppercased()))
        #expect(contains(name.enumerated().map { $0 % 2 == 0 ? $1.uppercased() : String($1) }.joined()))
    }

    @Test(arguments: SecretNames.all)
    func doesNotTakeAnotherNameForOne(name: String) {
        #expect(!contains(name + "s"))
        #expect(!contains(String(name.dropLast())))
        #expect(!contains(String(name.dropFirst())))
        #expect(!contains(name.replacing("_", with: "\u{7F}") + (name.contains("_") ? "" : "_")))
        // Bit 5 tells lower from upper case in letters alone.
        let shifted = name.utf8.map { $0 == UInt8(ascii: "_") ? $0 : $0 & ~0x40 }
        #expect(!SecretNames.contains(shifted[...]))
    }

    @Test(arguments: [("", false), ("ID", false), (String(repeating: "a", count: 40), false), ("member_id", false)])
    func otherNamesAreNoSecret(name: String, expected: Bool) {
        #expect(contains(name) == expected)
    }

    @Test(
        arguments: [
            ("auth[access_token]", 17), ("token", 5), ("data[BOT][5][AUTH][Refresh_Token][x]", 32), ("a.token.b", 7),
            ("[jwt", 4), ("x]y[password", 12), ("data[FIELDS][ID]", nil), ("", nil), ("[]", nil),
            ("tokens[my_token]", nil),
        ] as [(String, Int?)]
    )
    func findsWhereTheFirstOneEndsInAFieldsName(field: String, end: Int?) {
        #expect(Array(field.utf8).withUnsafeBytes { SecretNames.endOfFirst(in: $0) } == end)
    }
}
