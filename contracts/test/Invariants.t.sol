// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Item, Receipt} from "../src/types/Receipt.sol";
import {Score} from "../src/types/Score.sol";
import {Fixture} from "./utils/Fixture.sol";

/// @dev Whatever honest and hostile callers do, in any order: what the contracts must then hold is counted beside them.
contract Network is Fixture {
    uint256 public positive;
    uint256 public negative;
    uint256 public count;
    uint64 public sequence;
    bytes32 public digest;

    constructor() {
        super.setUp();
    }

    /// @dev The fuzzer calls every public function; a second deployment would forget the first.
    function setUp() public override {}

    function rate(uint8 nonce, int8 value, bool forged) external {
        Receipt memory receipt = receiptOf(nonce);
        Item[] memory items = batchOf(sign(receipt, forged ? STRANGER_KEY : OWNER_KEY, value));
        vm.prank(client);
        try reliability.submit(items) {
            assert(!forged && value != 0);
            // forge-lint: disable-next-item(unsafe-typecast) -- the sign was looked at
            if (value > 0) positive += uint256(int256(value));
            // forge-lint: disable-next-item(unsafe-typecast)
            else negative += uint256(-int256(value));
            ++count;
        } catch {}
    }

    function publish(uint64 given, bytes32 manifest, bool hostile) external {
        given = given % 4 + sequence;
        vm.prank(hostile ? stranger : owner);
        try manifests.publish(node, given, manifest) {
            assert(!hostile && given == sequence + 1);
            (sequence, digest) = (given, manifest);
        } catch {}
    }

    function check() external view {
        Score memory sums = reliability.score(node);
        assert(sums.positive == positive && sums.negative == negative && sums.count == count);
        assert(manifests.head(node).sequence == sequence && manifests.head(node).digest == digest);
        assert(count <= 256); // one receipt a nonce
    }
}

contract InvariantTest {
    Network internal network;

    function setUp() public {
        network = new Network();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(network);
    }

    function invariant_sumsAndHeadsAreWhatWasAdmitted() public view {
        network.check();
    }
}
