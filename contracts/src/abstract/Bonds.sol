// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {IBonds} from "../interfaces/IBonds.sol";
import {Rater, Reward} from "../types/Rater.sol";

/// @notice Bonds of raters and the influence they give. Another account can take a bond only by proving a fault.
abstract contract Bonds is IBonds {
    /// @inheritdoc IBonds
    uint256 public constant EPOCH = 7 days;
    /// @inheritdoc IBonds
    uint256 public constant CHALLENGE_WINDOW = 10 days;
    /// @inheritdoc IBonds
    uint256 public constant WEI_PER_INFLUENCE = 1e13;
    /// @inheritdoc IBonds
    uint256 public constant MIN_BOND = 0.01 ether;
    /// @inheritdoc IBonds
    uint256 public burnt;

    mapping(address rater => Rater) internal _raters;
    mapping(address account => Reward) private _rewards;
    mapping(address rater => uint256) private _bounties;

    /// @inheritdoc IBonds
    function bond() external payable {
        Rater storage rater = _raters[msg.sender];
        uint256 total = rater.bond + msg.value;
        if (total > type(uint96).max) revert BondTooLarge(total, type(uint96).max);
        // forge-lint: disable-next-line(unsafe-typecast) -- just checked
        rater.bond = uint96(total);
        emit Bonded(msg.sender, msg.value, total);
    }

    /// @inheritdoc IBonds
    function unbond(uint256 amount) external {
        Rater storage rater = _raters[msg.sender];
        uint256 total = rater.bond;
        if (amount > total) revert BondTooSmall(msg.sender, total, amount);
        uint256 free = uint256(rater.lastBatchAt) + CHALLENGE_WINDOW;
        if (block.timestamp <= free) revert BondLocked(msg.sender, free);
        // forge-lint: disable-next-line(unsafe-typecast) -- less than before
        rater.bond = uint96(total - amount);
        emit Unbonded(msg.sender, amount, total - amount);
        Address.sendValue(payable(msg.sender), amount);
    }

    /// @inheritdoc IBonds
    function claim() external {
        Reward memory reward = _rewards[msg.sender];
        uint256 free = (uint256(reward.epoch) + 1) * EPOCH;
        if (reward.amount == 0) revert NothingToClaim(msg.sender);
        if (block.timestamp < free) revert RewardLocked(msg.sender, free);
        delete _rewards[msg.sender];
        emit Claimed(msg.sender, reward.amount);
        Address.sendValue(payable(msg.sender), reward.amount);
    }

    /// @inheritdoc IBonds
    function rewardOf(address account) external view returns (Reward memory) {
        return _rewards[account];
    }

    /// @inheritdoc IBonds
    function bountyOf(address rater) external view returns (uint256) {
        return _bounties[rater];
    }

    /// @inheritdoc IBonds
    function raterOf(address rater) external view returns (Rater memory) {
        return _raters[rater];
    }

    /// @inheritdoc IBonds
    function influenceOf(address account) external view returns (uint256) {
        Rater memory rater = _raters[account];
        uint256 budget = _budget(rater.bond);
        uint256 spent = rater.epoch == currentEpoch() ? rater.spent : 0;
        return budget > spent ? budget - spent : 0;
    }

    /// @inheritdoc IBonds
    function currentEpoch() public view returns (uint256) {
        return block.timestamp / EPOCH;
    }

    /// @dev Use influence of the sender for its next batch and return the batch's number.
    function _spend(uint256 weight) internal returns (uint32 number) {
        Rater memory rater = _raters[msg.sender];
        if (rater.bond < MIN_BOND) revert BondTooSmall(msg.sender, rater.bond, MIN_BOND);
        uint256 epoch = currentEpoch();
        uint256 spent = rater.epoch == epoch ? rater.spent + weight : weight;
        uint256 budget = _budget(rater.bond);
        if (spent > budget) revert OverBudget(msg.sender, spent, budget);
        number = rater.batches;
        // forge-lint: disable-next-item(unsafe-typecast) -- a budget has 54 bits; seconds fit until 2106
        _raters[msg.sender] = Rater(rater.bond, uint64(spent), uint32(epoch), number + 1, uint32(block.timestamp));
    }

    /// @dev Take all of a bond. Half goes to the caller. An eighth is kept for later challenges of the account's other
    /// batches, which no bond covers any more. The rest is burnt: otherwise a cheating rater could slash itself just
    /// before others do, and lose nothing. The caller has to wait for the next epoch: otherwise a rater that slashes
    /// itself could spend the same capital twice in this one.
    function _slash(address account) internal returns (uint256 reward) {
        uint256 total = _raters[account].bond;
        uint256 bounty = _bounties[account] / 2;
        uint256 kept = total / 8;
        _raters[account].bond = 0;
        _bounties[account] = _bounties[account] - bounty + kept;
        burnt += total - total / 2 - kept;
        reward = total / 2 + bounty;
        if (reward == 0) return 0;
        Reward storage owed = _rewards[msg.sender];
        // forge-lint: disable-next-item(unsafe-typecast) -- the ether supply has 87 bits; epochs are weeks
        (owed.amount, owed.epoch) = (owed.amount + uint96(reward), uint32(currentEpoch()));
    }

    /// @dev Return the influence of a bond, rounded down: parts of a bond never have more influence than the whole.
    function _budget(uint256 amount) private pure returns (uint256) {
        return amount / WEI_PER_INFLUENCE;
    }
}
