import LocalAPI
import Testing

@Suite("Notices to watchers") struct NotifyBusTests {
    private func notice(_ text: String) -> Notify {
        var notify = Notify()
        notify.errorMessage = text
        return notify
    }

    @Test("A watcher that does not read keeps the newest notices, and only so many")
    func bounded() async {
        let bus = NotifyBus()
        let stream = bus.watch(first: notice("first"))
        for number in 1...1000 { bus.publish(notice(String(number))) }
        bus.close()
        var texts: [String?] = []
        for await notify in stream { texts.append(notify.errorMessage) }
        #expect(texts.count == NotifyBus.capacity)
        #expect(texts.last == "1000")
    }

    @Test("After closing, streams end at once")
    func closed() async {
        let bus = NotifyBus()
        bus.close()
        var iterator = bus.watch(first: nil).makeAsyncIterator()
        #expect(await iterator.next() == nil)
    }

    @Test("More watchers than allowed get a stream that ends after the first notice")
    func crowd() async {
        let bus = NotifyBus()
        var streams: [AsyncStream<Notify>] = []
        for _ in 0..<NotifyBus.maximumWatchers { streams.append(bus.watch(first: nil)) }
        var late = bus.watch(first: notice("hello")).makeAsyncIterator()
        #expect(await late.next() == notice("hello"))
        #expect(await late.next() == nil)
        #expect(streams.count == NotifyBus.maximumWatchers)
    }
}
