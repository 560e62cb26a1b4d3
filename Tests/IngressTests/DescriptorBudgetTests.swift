import Testing

@testable import Ingress

@Suite struct DescriptorBudgetTests {
    @Test(arguments: [(16, 2), (100, 36), (128, 64), (256, 128), (1024, 888), (1_048_576, 1_048_440)])
    func `some descriptors are left for what is no connection`(limit: Int, connections: Int) {
        #expect(DescriptorBudget(limit: limit, eventLoops: 2).connections == connections)
    }

    @Test func `many event loops take theirs`() {
        #expect(DescriptorBudget(limit: 1024, eventLoops: 64).connections == 1024 - 128 - 256)
    }

    @Test func `without a limit it is large`() {
        #expect(DescriptorBudget(limit: .max, eventLoops: 2).connections > 1 << 32)
        #expect(DescriptorBudget.ofThisProcess(eventLoops: 2).connections >= 2)
    }
}
