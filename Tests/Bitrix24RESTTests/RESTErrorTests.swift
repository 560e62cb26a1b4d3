import Testing

@testable import Bitrix24REST

@Suite struct RESTErrorTests {
    @Test func `codes are equal in any case, as Bitrix24 writes them in several`() {
        #expect(RESTError.Code("EXPIRED_TOKEN") == .expiredToken)
    }
}
