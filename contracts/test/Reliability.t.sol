// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IReliability} from "../src/interfaces/IReliability.sol";
import {Reliability} from "../src/Reliability.sol";
import {Item, Receipt} from "../src/types/Receipt.sol";
import {Score} from "../src/types/Score.sol";
import {Fixture} from "./utils/Fixture.sol";

/// @dev A contract wallet that signs one digest.
contract Wallet is IERC1271 {
    bytes32 public agreed;

    function agree(bytes32 digest) external {
        agreed = digest;
    }

    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        return digest == agreed ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}

contract ReliabilityTest is Fixture {
    function submit(Item[] memory items) internal {
        vm.prank(client);
        reliability.submit(items);
    }

    function submitExpecting(Item memory item, bytes memory reason) internal {
        vm.expectRevert(reason);
        vm.prank(client);
        reliability.submit(batchOf(item));
    }

    function test_submit_addsToTheSums() public {
        Item memory good = sign(receiptOf(1), OWNER_KEY, 100);
        bytes32 digest = reliability.digestOf(good.receipt);
        vm.expectEmit();
        emit IReliability.Rated(node, client, digest, 100);
        submit(batchOf(good));
        submit(batchOf(sign(receiptOf(2), OWNER_KEY, -40)));
        Score memory sums = reliability.score(node);
        assert(sums.positive == 100 && sums.negative == 40 && sums.count == 2 && sums.updatedAt == START);
        assert(reliability.used(digest));
    }

    function test_submit_costs() public {
        submit(batch(1, 0));
        vm.snapshotGasLastCall("submit 1, first of the node");
        submit(batch(1, 100));
        vm.snapshotGasLastCall("submit 1");
        submit(batch(20, 200));
        vm.snapshotGasLastCall("submit 20");
        submit(batch(128, 300));
        vm.snapshotGasLastCall("submit 128");
    }

    function test_submit_takesContractWallets() public {
        Wallet wallet = new Wallet();
        vm.prank(owner);
        identity.transferFrom(owner, address(this), node);
        identity.setApprovalForAll(address(wallet), false);
        uint256 deadline = block.timestamp;
        wallet.agree(_consentDigest(address(wallet), deadline));
        identity.setAgentWallet(node, address(wallet), deadline, "");
        Item memory item = Item({receipt: receiptOf(1), signature: "", value: 1});
        submitExpecting(
            item, abi.encodeWithSelector(IReliability.InvalidReceiptSignature.selector, 0, node, address(wallet))
        );
        wallet.agree(reliability.digestOf(item.receipt));
        submit(batchOf(item));
        assert(reliability.score(node).positive == 1);
    }

    function _consentDigest(address wallet, uint256 deadline) internal view returns (bytes32) {
        (, string memory name, string memory version, uint256 chain, address verifier,,) = identity.eip712Domain();
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256(bytes(version)),
                chain,
                verifier
            )
        );
        bytes32 typehash = keccak256("AgentWalletSet(uint256 agentId,address newWallet,address owner,uint256 deadline)");
        bytes32 consent = keccak256(abi.encode(typehash, node, wallet, address(this), deadline));
        return keccak256(abi.encodePacked("\x19\x01", domain, consent));
    }

    function test_submit_revertsWhenEmpty() public {
        vm.expectRevert(abi.encodeWithSelector(IReliability.BatchSize.selector, 0, 128));
        submit(new Item[](0));
    }

    function test_submit_revertsWhenTooLarge() public {
        Item[] memory items = new Item[](129);
        vm.expectRevert(abi.encodeWithSelector(IReliability.BatchSize.selector, 129, 128));
        submit(items);
    }

    function testFuzz_submit_revertsWhenValueIsOutOfRange(int8 value) public {
        Item memory item = sign(receiptOf(1), OWNER_KEY, value);
        if (value != 0 && value >= -100 && value <= 100) return submit(batchOf(item));
        submitExpecting(item, abi.encodeWithSelector(IReliability.ValueOutOfRange.selector, 0, value));
    }

    function test_submit_revertsWhenSenderIsNotTheClient() public {
        Item[] memory items = batch(1, 0);
        vm.expectRevert(abi.encodeWithSelector(IReliability.NotClient.selector, 0, client, stranger));
        vm.prank(stranger);
        reliability.submit(items);
    }

    function test_submit_revertsWhenReplayed() public {
        Item memory item = sign(receiptOf(1), OWNER_KEY, 100);
        submit(batchOf(item));
        bytes memory reason =
            abi.encodeWithSelector(IReliability.ReceiptUsed.selector, 0, reliability.digestOf(item.receipt));
        submitExpecting(item, reason);
        item.value = -100;
        submitExpecting(item, reason);
    }

    function test_submit_revertsWhenReceiptIsTwiceInOneBatch() public {
        Item[] memory items = batch(3, 0);
        items[2] = items[0];
        bytes32 digest = reliability.digestOf(items[0].receipt);
        vm.expectRevert(abi.encodeWithSelector(IReliability.ReceiptUsed.selector, 2, digest));
        submit(items);
        assert(reliability.score(node).count == 0);
    }

    function test_submit_revertsWhenReceiptIsForAnotherContract() public {
        Item memory item = sign(receiptOf(1), OWNER_KEY, 100);
        Reliability other = new Reliability(identity);
        vm.expectRevert(abi.encodeWithSelector(IReliability.InvalidReceiptSignature.selector, 0, node, owner));
        vm.prank(client);
        other.submit(batchOf(item));
    }

    function test_submit_revertsWhenAnotherNodeSigned() public {
        Item memory item = sign(receiptOf(1), STRANGER_KEY, 100);
        submitExpecting(item, abi.encodeWithSelector(IReliability.InvalidReceiptSignature.selector, 0, node, owner));
    }

    function test_submit_revertsWhenSignatureIsMalleated() public {
        Item memory item = sign(receiptOf(1), OWNER_KEY, 100);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(OWNER_KEY, reliability.digestOf(item.receipt));
        uint256 n = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        item.signature = abi.encodePacked(r, bytes32(n - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        submitExpecting(item, abi.encodeWithSelector(IReliability.InvalidReceiptSignature.selector, 0, node, owner));
    }

    function test_submit_revertsWhenWalletWasRotatedAway() public {
        Item memory item = sign(receiptOf(1), OWNER_KEY, 100);
        rotateWallet(STRANGER_KEY);
        submitExpecting(item, abi.encodeWithSelector(IReliability.InvalidReceiptSignature.selector, 0, node, stranger));
        submit(batchOf(sign(receiptOf(1), STRANGER_KEY, 100)));
        assert(reliability.score(node).count == 1);
    }

    function test_submit_revertsWhenNodeHasNoWallet() public {
        Item memory item = sign(receiptOf(1), OWNER_KEY, 100);
        item.receipt.node = 99;
        submitExpecting(item, abi.encodeWithSelector(IReliability.NoAgentWallet.selector, 0, 99));
    }

    function test_submit_revertsWhenOwnerRatesItself() public {
        Receipt memory receipt = receiptOf(1);
        receipt.client = owner;
        Item[] memory items = batchOf(sign(receipt, OWNER_KEY, 100));
        vm.expectRevert(abi.encodeWithSelector(IReliability.SelfRating.selector, 0, node, owner));
        vm.prank(owner);
        reliability.submit(items);
    }

    function test_submit_revertsWhenOperatorRatesIt() public {
        vm.prank(owner);
        identity.setApprovalForAll(client, true);
        Item memory item = sign(receiptOf(1), OWNER_KEY, 100);
        submitExpecting(item, abi.encodeWithSelector(IReliability.SelfRating.selector, 0, node, client));
    }

    function test_submit_revertsWhenWalletRatesIt() public {
        rotateWallet(CLIENT_KEY);
        Item memory item = sign(receiptOf(1), CLIENT_KEY, 100);
        submitExpecting(item, abi.encodeWithSelector(IReliability.SelfRating.selector, 0, node, client));
    }

    function test_submit_revertsWhenReceiptIsFromTheFuture() public {
        Receipt memory receipt = receiptOf(1);
        receipt.issuedAt = START + 2 minutes;
        submit(batchOf(sign(receipt, OWNER_KEY, 100)));
        receipt.issuedAt += 1;
        submitExpecting(
            sign(receipt, OWNER_KEY, 100),
            abi.encodeWithSelector(IReliability.IssuedInFuture.selector, 0, receipt.issuedAt, START)
        );
    }

    function test_submit_revertsWhenReceiptExpired() public {
        uint256 expiry = START + 30 days;
        vm.warp(expiry);
        submit(batchOf(sign(receiptOf(1), OWNER_KEY, 100)));
        vm.warp(expiry + 1);
        submitExpecting(
            sign(receiptOf(2), OWNER_KEY, 100),
            abi.encodeWithSelector(IReliability.ReceiptExpired.selector, 0, START, expiry)
        );
    }

    function testFuzz_submit_revertsWhenAnyFieldChanges(uint256 field, bytes32 difference) public {
        Item memory item = sign(receiptOf(1), OWNER_KEY, 100);
        if (difference == 0) difference = bytes32(uint256(1));
        field = field % 4;
        if (field == 0) item.receipt.manifest ^= difference;
        else if (field == 1) item.receipt.query ^= difference;
        else if (field == 2) item.receipt.results ^= difference;
        else item.receipt.nonce ^= difference;
        submitExpecting(item, abi.encodeWithSelector(IReliability.InvalidReceiptSignature.selector, 0, node, owner));
    }

    function test_scores_answersInTheOrderAsked() public {
        submit(batch(1, 0));
        uint256[] memory nodes = new uint256[](3);
        (nodes[0], nodes[1], nodes[2]) = (7, node, 0);
        Score[] memory found = reliability.scores(nodes);
        assert(found.length == 3 && found[0].count == 0 && found[1].positive == 100 && found[2].count == 0);
    }

    function test_scores_revertsWhenTooMany() public {
        vm.expectRevert(abi.encodeWithSelector(IReliability.QuestionSize.selector, 1001, 1000));
        reliability.scores(new uint256[](1001));
    }

    function test_areUsed_answersInTheOrderAsked() public {
        Item[] memory items = batch(2, 0);
        submit(batchOf(items[1]));
        bytes32[] memory receipts = new bytes32[](2);
        (receipts[0], receipts[1]) = (reliability.digestOf(items[0].receipt), reliability.digestOf(items[1].receipt));
        bool[] memory found = reliability.areUsed(receipts);
        assert(!found[0] && found[1]);
    }

    function test_areUsed_revertsWhenTooMany() public {
        vm.expectRevert(abi.encodeWithSelector(IReliability.QuestionSize.selector, 1001, 1000));
        reliability.areUsed(new bytes32[](1001));
    }

    function test_identity_isTheOneGiven() public view {
        assert(address(reliability.identity()) == address(identity));
        assert(address(manifests.identity()) == address(identity));
    }
}
