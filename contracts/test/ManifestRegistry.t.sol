// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IManifestRegistry} from "../src/interfaces/IManifestRegistry.sol";
import {Fixture} from "./utils/Fixture.sol";

contract ManifestRegistryTest is Fixture {
    bytes32 internal constant DIGEST = keccak256("manifest 1");
    bytes32 internal constant NEXT = keccak256("manifest 2");

    function publishFirst() internal {
        vm.prank(owner);
        manifests.publish(node, 1, DIGEST);
    }

    function test_publish_movesTheHead() public {
        assert(manifests.head(node).sequence == 0);
        vm.expectEmit();
        emit IManifestRegistry.ManifestPublished(node, 1, DIGEST);
        publishFirst();
        vm.snapshotGasLastCall("publish first");
        vm.prank(owner);
        manifests.publish(node, 2, NEXT);
        vm.snapshotGasLastCall("publish next");
        assert(manifests.head(node).sequence == 2 && manifests.head(node).digest == NEXT);
    }

    function test_publish_admitsTheAgentWalletAndApproved() public {
        rotateWallet(CLIENT_KEY);
        vm.prank(client);
        manifests.publish(node, 1, DIGEST);
        vm.prank(owner);
        identity.setApprovalForAll(stranger, true);
        vm.prank(stranger);
        manifests.publish(node, 2, NEXT);
        assert(manifests.head(node).sequence == 2);
    }

    function test_publish_revertsWhenStranger() public {
        vm.expectRevert(abi.encodeWithSelector(IManifestRegistry.NotPublisher.selector, node, stranger));
        vm.prank(stranger);
        manifests.publish(node, 1, DIGEST);
    }

    function test_publish_revertsWhenNodeWasGivenAway() public {
        vm.prank(owner);
        identity.transferFrom(owner, client, node);
        vm.expectRevert(abi.encodeWithSelector(IManifestRegistry.NotPublisher.selector, node, owner));
        vm.prank(owner);
        manifests.publish(node, 1, DIGEST);
    }

    function test_publish_revertsWhenNodeDoesNotExist() public {
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, 99));
        manifests.publish(99, 1, DIGEST);
    }

    function test_publish_revertsWhenDigestIsZero() public {
        vm.expectRevert(abi.encodeWithSelector(IManifestRegistry.ZeroDigest.selector, node));
        vm.prank(owner);
        manifests.publish(node, 1, 0);
    }

    function test_publish_revertsWhenSequenceRepeats() public {
        publishFirst();
        vm.expectRevert(abi.encodeWithSelector(IManifestRegistry.IncorrectSequence.selector, node, 1, 2));
        vm.prank(owner);
        manifests.publish(node, 1, NEXT);
    }

    function testFuzz_publish_revertsWhenSequenceIsNotNext(uint64 sequence) public {
        if (sequence == 2) return;
        publishFirst();
        vm.expectRevert(abi.encodeWithSelector(IManifestRegistry.IncorrectSequence.selector, node, sequence, 2));
        vm.prank(owner);
        manifests.publish(node, sequence, NEXT);
    }
}
